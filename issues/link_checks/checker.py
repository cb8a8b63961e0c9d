"""Look at a link as TokPortal would have to: the address first, then a ranged GET, then the bytes.

HEAD alone lies, so a megabyte is really fetched. Answers that would condemn a link are looked at twice.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from issues.enums import MediaKind, VerdictClass
from issues.link_checks.catalogue import Verdict
from issues.link_checks.http_fetch import Clock, FetchError, fetch
from issues.link_checks.looker import Looker, size_text
from issues.link_checks.resolver import Network, current_network
from issues.link_checks.url_rules import is_only_trimmed, judge_link, link_end, of_share_link
from issues.link_checks.urls import host_of

__all__ = ["Report", "check_link", "size_text", "stored_size"]

SECOND_LOOK_AFTER = 1.0  # seconds
# What is not certain by itself: said only when a second look, some time later, sees the same.
_LOOK_TWICE = frozenset(
    {"http_404", "http_410", "file_gone", "dns_missing", "empty_file", "truncated", "redirect_loop"}
)


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict with what was seen. The evidence holds no secret of the link."""

    verdict: Verdict
    evidence: dict[str, Any] = field(default_factory=dict)


def check_link(
    url: str,
    *,
    expects: MediaKind | None = None,
    needed_until: datetime | None = None,
    own_hosts: Collection[str] = (),
    network: Network | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Report:
    """Look at one link; takes at most 15 seconds and never raises.

    `expects`: what the slot takes, `None` for either. `needed_until`: until when it must work. `own_hosts`: hosts of
    TokPortal's own store.
    """
    network = network or current_network()
    by_address = judge_link(url, needed_until=needed_until, now=timezone.now())
    if by_address.code == "tokportal_file":
        return Report(by_address, {"asked": False})  # checks.store opens it, if it knows where it lies
    is_own = by_address.code == "private_address" and _is_reachable(url, network)
    if by_address.is_bad and not is_own:
        return Report(by_address, {"asked": False})
    looker = Looker(by_address.direct or url.strip(), expects, network)
    verdict = looker.look()
    if verdict.code in _LOOK_TWICE and looker.clock_left() > SECOND_LOOK_AFTER:
        pause(SECOND_LOOK_AFTER)
        second = looker.look()
        if second.code != verdict.code:
            verdict = (
                second if second.cls in {VerdictClass.OK, VerdictClass.UNSURE} else replace(second, code="unsteady")
            )
    if by_address.direct:
        verdict = of_share_link(by_address, verdict)
    elif by_address.repaired and not verdict.repaired:
        is_needless = verdict.cls is VerdictClass.OK and is_only_trimmed(url, by_address.repaired)
        verdict = verdict if is_needless else replace(verdict, repaired=by_address.repaired)
    if verdict.cls is VerdictClass.OK:
        if host_of(url) in own_hosts:
            verdict = replace(verdict, code="tokportal_copy_ok")
        if by_address.cls is VerdictClass.EXPIRING:
            verdict = by_address
        elif end := link_end(url):
            verdict = replace(verdict, until=end)
    return Report(verdict, looker.evidence())


def stored_size(url: str, network: Network | None = None) -> int | None:
    """How many bytes a public address has, `None` if it does not say. Takes at most five seconds."""
    try:
        answer = fetch(url, network or current_network(), Clock(5), last=0, most=1)
    except FetchError:
        return None
    if answer.status == 416:
        return 0
    return answer.total if answer.status in {200, 206} else None


def _is_reachable(url: str, network: Network) -> bool:
    """The sandbox's object store has a loopback address, and yet stands for a public one."""
    try:
        return bool(network.parse(url.strip()))
    except ValueError:
        return False
