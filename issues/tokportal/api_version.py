"""Which version of its API TokPortal speaks, as each response tells."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from issues.tokportal import constants as c

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The version (a date) and how stable TokPortal calls it. Empty: unknown."""

    version: str = ""
    stability: str = ""

    @property
    def is_newer(self) -> bool:
        """Whether it is newer than the one that TokDash was built for."""
        return is_newer_version(self.version)


def is_newer_version(version: str) -> bool:
    """Whether this version is newer than ours. Versions are days; a version in another form is new to us as well."""
    if not version:
        return False
    day = _DAY.match(version)
    return day[0] > c.API_VERSION if day else True


def told_version(headers: Mapping[str, str]) -> ApiVersion | None:
    """What the response's headers tell; `None` if they say nothing that can be a version."""
    version = headers.get(c.API_VERSION_HEADER, "").strip()
    if not _VERSION.fullmatch(version):
        return None
    stability = headers.get(c.API_STABILITY_HEADER, "").strip()
    return ApiVersion(version, stability if _VERSION.fullmatch(stability) else "")
