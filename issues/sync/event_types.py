"""Which of TokPortal's event types we subscribe to, and which one would mean a download issue."""

import re
from collections.abc import Iterable, Mapping

from issues.tokportal import constants as c

# What happens there may change a bundle, a video, or what a fix costs.
FAMILIES = ("bundle.", "video.", "account.", "subscription.", "credits.")
_DOWNLOAD_ISSUE = re.compile(
    r"download|(?:media|link|file)[._-]?(?:issue|broken|error|problem|flag)|flagged", re.IGNORECASE
)


def is_download_issue(kind: str) -> bool:
    """Whether an event of this type tells of a download issue. TokPortal has none yet: recognised by its name."""
    return bool(_DOWNLOAD_ISSUE.search(kind))


def wanted_types(catalogue: Mapping[str, bool] | None) -> list[str]:
    """What to subscribe to: of the catalogue (type → emitted) if it is known, else of the contract."""
    known: Iterable[str] = c.WEBHOOK_EVENTS
    if catalogue:
        known = [kind for kind, emitted in catalogue.items() if emitted]
    return [kind for kind in known if kind.startswith(FAMILIES) or kind == "webhook.test" or is_download_issue(kind)]


def tells_of_flags(kinds: Iterable[str]) -> list[str]:
    """Those of the types that tell of download issues."""
    return sorted(kind for kind in kinds if is_download_issue(kind))
