"""Keep what a look at a link showed, and find it again."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.utils import timezone

from issues.enums import MediaKind, VerdictClass
from issues.link_checks.catalogue import CATALOGUE, Verdict, worst_of
from issues.link_checks.checker import Report, check_link
from issues.link_checks.masking import mask_secrets, mask_values, shown_url
from issues.link_checks.url_rules import judge_link
from issues.link_checks.urls import host_of, is_web_link
from issues.models import Fix, LinkCheck, Team, Video, Workspace
from issues.tokportal.storage_paths import is_storage_path, public_address

# How long a look speaks for a link that somebody is about to send.
FRESH = timedelta(minutes=15)
# What an address says before its host was asked.
NOT_OPENED = frozenset({"not_checked", "tokportal_file"})
# What TokPortal's storage says of a file that it has lost. Anything else accuses nobody: the file is TokPortal's own.
LOST = frozenset({"http_404", "http_410", "file_gone", "empty_file", "truncated"})


def digest_of(url: str) -> str:
    return hashlib.sha256(url.strip().encode()).hexdigest()


def known_looks(team_id: int, urls: Iterable[str]) -> dict[str, LinkCheck]:
    """The team's latest look at each of these links, in one query; by the link."""
    by_digest = {digest_of(url): url for url in urls}
    if not by_digest:
        return {}
    found = LinkCheck.objects.filter(team=team_id, digest__in=by_digest)
    return {by_digest[look.digest]: look for look in found}


def verdict_of(url: str, look: LinkCheck | None, *, needed_until: datetime | None) -> Verdict:
    """What we think of a link now: its address, since time passes, and what was seen when it was looked at."""
    by_address = judge_link(url, needed_until=needed_until, now=timezone.now(), held=(url,))
    if look is None or look.verdict not in CATALOGUE:
        return by_address
    # An address that is private to us and yet was opened is the store of a sandbox or of TokPortal in the same network.
    if by_address.is_bad and by_address.code != "private_address":
        return by_address
    opened = look.verdict_class == VerdictClass.OK and CATALOGUE[look.verdict].cls is not VerdictClass.OK
    seen = Verdict(look.verdict, look.until, look.repaired, fact=look.fact, opened=opened)
    return by_address if by_address.cls is VerdictClass.EXPIRING and not seen.is_bad else seen


def keep(team_id: int, url: str, report: Report) -> LinkCheck:
    """Write down the latest look."""
    verdict = report.verdict
    values = {
        "shown_url": shown_url(url)[:220],
        "verdict": verdict.code,
        "verdict_class": verdict.cls.value,
        "fact": mask_secrets(verdict.fact)[:200],
        "until": verdict.until,
        "repaired": verdict.repaired,
        "evidence": mask_values(report.evidence),
        "checked_at": timezone.now(),
    }
    look, _ = LinkCheck.objects.update_or_create(team_id=team_id, digest=digest_of(url), defaults=values)
    return look


def address_of(link: str, prefix: str) -> str:
    """Where a browser can open a link or storage path; empty if that is not known."""
    return link if is_web_link(link) else public_address(link, prefix)


def open_media(
    link: str,
    *,
    prefix: str,
    expects: MediaKind | None = None,
    needed_until: datetime | None = None,
    own_hosts: Collection[str] = (),
) -> Report:
    """Open a link, or a storage path at its public address. `prefix` is the workspace's `storage_prefix`. No database.

    A storage path is bad only if TokPortal's storage says that the file is gone or empty.
    """
    if not is_storage_path(link) or expects is MediaKind.VIDEO:
        return check_link(link, expects=expects, needed_until=needed_until, own_hosts=own_hosts)
    address = public_address(link, prefix)
    if not address:
        return Report(Verdict("tokportal_file"), {"asked": False})
    report = check_link(address, expects=expects)
    if report.verdict.cls is VerdictClass.OK:
        return replace(report, verdict=replace(report.verdict, code="tokportal_copy_ok"))
    return report if report.verdict.code in LOST else replace(report, verdict=Verdict("tokportal_file"))


def look_at_links(
    workspace: Workspace, urls: Sequence[str], *, expects: MediaKind | None, until: datetime | None
) -> None:
    """Look at these links now and keep what was seen. Each takes at most 15 seconds."""
    own = own_hosts(workspace.team)
    for url in dict.fromkeys(urls):
        report = open_media(url, prefix=workspace.storage_prefix, expects=expects, needed_until=until, own_hosts=own)
        keep(workspace.team_id, url, report)


def own_hosts(team: Team) -> frozenset[str]:
    """Hosts of TokPortal's own stores, as the latest fixes and uploads have shown them."""
    recent = Fix.objects.filter(team=team, state="succeeded").exclude(video_url="").order_by("-finished_at")
    addresses = [
        *recent.values_list("video_url", flat=True)[:20],
        *Workspace.objects.filter(team=team).values_list("storage_prefix", flat=True),
    ]
    return frozenset(filter(None, map(host_of, addresses)))


def media_kind_of(video: Video) -> MediaKind | None:
    """What the slot's links lead to."""
    return {"video": MediaKind.VIDEO, "carousel": MediaKind.IMAGE}.get(video.media_type)


def fresh_verdicts(team_id: int, urls: Sequence[str], *, needed_until: datetime | None) -> list[Verdict | None]:
    """For each link what is known for certain or was seen just now; `None` where it has to be looked at first."""
    looks = known_looks(team_id, urls)
    since = timezone.now() - FRESH
    verdicts: list[Verdict | None] = []
    for url, look in [(url, looks.get(url)) for url in urls]:
        look = look if look and look.checked_at > since else None
        verdict = verdict_of(url, look, needed_until=needed_until)
        # A storage path whose address we do not know yet cannot be checked further.
        is_open = verdict.needs_request or (verdict.code in NOT_OPENED and look is None)
        verdicts.append(None if is_open else verdict)
    return verdicts


def worst(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a slot."""
    return worst_of(verdicts) if verdicts else Verdict("no_link")
