"""What a link's address alone tells: rules for known hosts and the end of temporary links. No network.

Each verdict is a code of the catalogue; sentences are made here when shown, never stored. What the address cannot tell
is `not_checked`: we do not accuse.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from issues.enums import VerdictClass
from issues.link_checks.catalogue import Verdict, worst_of
from issues.link_checks.expiry import link_end
from issues.link_checks.known_hosts import judge_known_host
from issues.link_checks.paste import clean, read
from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError, parse_target
from issues.link_checks.urls import WebLink, parse_link
from issues.tokportal.storage_paths import is_given_path


def judge_links(links: Sequence[str], *, video_type: str, needed_until: datetime | None, now: datetime) -> Verdict:
    """The verdict on a slot: that of its link, or for a carousel of its worst image."""
    if video_type == "story":
        return Verdict("story_not_repairable")
    if not links:
        return Verdict("no_link")
    held = frozenset() if video_type == "video" else frozenset(links)
    return worst_of([judge_link(link, needed_until=needed_until, now=now, held=held) for link in links])


def judge_link(
    url: str, *, needed_until: datetime | None, now: datetime, held: Collection[str] = frozenset()
) -> Verdict:
    """Look at one link's address, as it is sent. `needed_until`: until when it must work (a day is added for safety).

    `held`: what a carousel holds, so that its storage paths are known as such.

    `repaired` is the link that is meant, if another one is: without what came along when it was pasted, without a
    wrapper around it, or the direct form of a share link. What was pasted is expected to be cleaned before.
    """
    if not url.strip():
        return Verdict("no_link")
    if is_given_path(url.strip(), held):
        return Verdict("tokportal_file")
    cleaned = clean(url)
    reading = read(cleaned)
    if reading.count > 1:
        return Verdict("malformed", fact=f"{reading.count} links")
    meant = reading.offer or reading.link
    if not meant:
        return _judge_whole(cleaned, needed_until, now)
    verdict = _judge_whole(meant, needed_until, now)
    suggestion = _suggestion(url, meant, verdict)
    if verdict.is_bad and verdict.code != "malformed":
        return replace(verdict, repaired=suggestion)
    if not reading.link or cleaned != url.strip():
        return Verdict("malformed", repaired=suggestion)
    if reading.is_wrapped:
        return replace(_judge_whole(reading.link, needed_until, now), repaired=suggestion)
    if verdict.direct:
        return verdict
    return replace(_judge_whole(reading.link, needed_until, now) if reading.offer else verdict, repaired=suggestion)


def _suggestion(url: str, meant: str, verdict: Verdict) -> str:
    """The link to offer in place of `url`: one that is read, is another, and leads to no page by its own address."""
    found = verdict.repaired or verdict.direct or ("" if verdict.is_bad else meant)
    if not found or found == url or clean(found) != found:
        return ""
    again = read(found)
    return found if again.link == found and not again.offer else ""


def _judge_whole(text: str, needed_until: datetime | None, now: datetime) -> Verdict:
    """The verdict on exactly this text."""
    try:
        parse_target(text)
        link = parse_link(text)
    except MalformedError:
        return Verdict("malformed")
    except NotPublicError:
        return Verdict("private_address")
    except PortError:
        return Verdict("odd_port")
    temporary = _temporary(link, needed_until=needed_until, now=now)
    return judge_known_host(link) or temporary or Verdict("not_checked")


def of_share_link(by_address: Verdict, seen: Verdict) -> Verdict:
    """The verdict on a share link whose direct form was opened: ok if the file came, bad only on evidence."""
    if seen.cls is VerdictClass.OK:
        return replace(by_address, opened=True, fact=seen.fact, repaired=by_address.direct, direct="")
    if seen.code in {"html_instead_of_media", "drive_virus_page", "unknown_bytes", "http_refused"}:
        return replace(by_address, repaired="", direct="")
    return replace(seen, repaired="")


def is_only_trimmed(url: str, repaired: str) -> bool:
    """Whether a suggestion is the link without its last characters: no better one if the link works as it is."""
    return url.strip().startswith(repaired)


def _temporary(link: WebLink, *, needed_until: datetime | None, now: datetime) -> Verdict | None:
    end = link_end(link.href)
    if end is None:
        return None
    if end <= now:
        return Verdict("signature_expired", until=end)
    if needed_until is not None and end < needed_until + timedelta(days=1):
        return Verdict("signature_expires_soon", until=end)
    if "x-amz-security-token" in link.query.lower():
        return Verdict("signature_short_lived", until=end)
    return None


_ABOUT_CONTENT = re.compile(
    r"(?i)no sound|no audio|without sound|muted|wrong video|bad quality|low quality|blurry|pixelat|watermark"
    r"|sem som|mudo|sin sonido|sans son|pas de son|mauvaise vid|kein ton|ohne ton|falsches video|senza audio"
    r"|geen geluid|bez dźwięku|inget ljud|音が"
)


def is_about_content(comment: str | None) -> bool:
    """Whether the manager complains about what is in the video rather than about its link."""
    return bool(comment and _ABOUT_CONTENT.search(comment))


__all__ = ["is_about_content", "is_only_trimmed", "judge_link", "judge_links", "link_end", "of_share_link"]
