"""Which host is to blame for a slot: that of the link that failed, not that of the first one."""

from collections.abc import Sequence

from issues.link_checks.catalogue import SEVERITY, Verdict
from issues.link_checks.urls import host_of
from issues.tokportal.storage_paths import is_storage_path

MAX_HOST = 255
# TokPortal's own files: nobody else is to blame for them.
_OWN = frozenset({"tokportal_file", "tokportal_copy_ok"})


def failing_link(links: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """The worst link, the first of those that are equally bad; empty if all of them are TokPortal's own.

    If a link redirects, the link itself is meant: its owner can repair it, and a replacement takes its place.
    """
    suspects = [
        (link, verdict)
        for link, verdict in zip(links, verdicts, strict=True)
        if not is_storage_path(link.strip()) and verdict.code not in _OWN
    ]
    return max(suspects, key=lambda pair: SEVERITY[pair[1].cls])[0] if suspects else ""


def failing_host(links: Sequence[str], verdicts: Sequence[Verdict]) -> str:
    """The host of the failing link, in lower case; empty if there is none."""
    return host_of(failing_link(links, verdicts))[:MAX_HOST]
