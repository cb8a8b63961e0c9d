"""What the status of an answer means, together with what its body says."""

import re

from django.utils import timezone

from issues.link_checks import store_errors
from issues.link_checks.answer import Answer
from issues.link_checks.catalogue import Verdict
from issues.link_checks.header_values import seconds_to_wait
from issues.link_checks.known_pages import is_google, verdict_of_page
from issues.link_checks.store_errors import Meaning
from issues.link_checks.walls import is_wall

WITH_A_FILE = frozenset({200, 201, 203, 206})
_NOT_READY = frozenset({202, 204, 205, 408, 423, 425})
# Answers to a request for a part that say nothing about the file.
_ABOUT_THE_RANGE = frozenset({400, 403, 405, 406, 409, 411, 412, 413, 416, 500, 501, 502, 504, 505})
_OF_A_MEANING = {
    Meaning.EXPIRED: "signature_expired",
    Meaning.NOT_YET: "not_ready",
    Meaning.GONE: "file_gone",
    Meaning.SIGNATURE: "signature_wrong",
    Meaning.REVOKED: "signature_revoked",
    Meaning.TRAFFIC: "traffic_limit",
    Meaning.ARCHIVED: "archived",
}


_NAMES_A_FILE = re.compile(r"(?i)\.(?:mp4|m4v|mov|webm|3gp|jpe?g|png|webp|heic|gif)(?:\?|…|$)")


def should_ask_for_all(answer: Answer) -> bool:
    """Whether the host may give the file if we ask for all of it."""
    if not answer.is_ranged:
        return False
    if answer.is_odd_part:
        return True
    if answer.status not in _ABOUT_THE_RANGE or is_wall(answer):
        return False
    # What a store explains is about the file, not about the range.
    return answer.status == 416 or store_errors.meaning_of(answer) is None


def should_ask_as_browser(answer: Answer, verdict: Verdict) -> bool:
    """Whether the host may refuse programs, or links from elsewhere, and nobody else."""
    if verdict.code == "html_instead_of_media":
        # A page under a file's name: some hosts lead visitors from elsewhere to their own pages.
        return bool(_NAMES_A_FILE.search(answer.hops[0].url if answer.hops else ""))
    is_refusal = verdict.code == "http_403" or (verdict.code == "http_refused" and answer.status not in {402, 451})
    return is_refusal and store_errors.meaning_of(answer) is None


def verdict_of_status(answer: Answer) -> Verdict | None:
    """The verdict on an answer that is not the file, `None` for one that may be."""
    status = answer.status
    if status in WITH_A_FILE:
        return None
    if is_wall(answer):
        return Verdict("bot_wall")
    if status < 200 or 300 <= status < 400:
        return Verdict("not_http")
    # A server that is in trouble uses many words: there, only a store's codes count.
    meaning = store_errors.meaning_of(answer, only_codes=status >= 500)
    if status in {404, 410} and meaning is not Meaning.EXPIRED:
        return Verdict(f"http_{status}")
    if status in _NOT_READY and meaning not in {Meaning.EXPIRED, Meaning.GONE}:
        return Verdict("not_ready")
    if meaning is Meaning.BUSY or status == 429:
        return Verdict("traffic_limit") if meaning is Meaning.TRAFFIC else Verdict("rate_limited", fact=_wait(answer))
    if meaning in _OF_A_MEANING and not (status >= 500 and meaning not in {Meaning.EXPIRED, Meaning.GONE}):
        return Verdict(_OF_A_MEANING[meaning])
    if status == 509:
        return Verdict("traffic_limit")
    if status >= 500:
        return Verdict("server_error")
    if is_google(answer) and status in {401, 403}:
        return _of_google(answer)
    return Verdict(f"http_{status}") if status in {401, 403} else Verdict("http_refused", fact=str(status))


def _of_google(answer: Answer) -> Verdict:
    page = verdict_of_page(answer)
    if page and page.code.startswith("drive_"):
        return page
    is_drive = answer.target.host.split(".")[0] in {"drive", "docs"}
    return Verdict("drive_no_access") if is_drive else Verdict(f"http_{answer.status}")


def _wait(answer: Answer) -> str:
    seconds = seconds_to_wait(answer.header("Retry-After"), timezone.now())
    if seconds is None:
        return ""
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} minutes"
