"""Links before they are sent, and TokPortal's copy afterwards: looked at, stopped only where we are certain."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

from issues.checks.store import LOST, fresh_verdicts, look_at_links, media_kind_of, open_media, worst
from issues.enums import FixKind
from issues.link_checks.catalogue import Verdict
from issues.link_checks.checker import check_link
from issues.link_checks.resolver import NameFailedError, NameMissingError, current_network
from issues.link_checks.ssrf import NotPublicError
from issues.models import Fix, Video, Workspace
from issues.problems import Refusal
from issues.tokportal.payloads import VideoPayload
from issues.tokportal.storage_paths import is_storage_path

# What a copy that cannot be fetched looks like. Whatever else its file may be, TokPortal has taken it.
COPY_MISSING = frozenset({"http_404", "http_410", "http_401", "http_403", "file_gone", "empty_file"})
IMAGES_AT_A_TIME = 5


# Not even if the person insists: it could reach inside a network, or there is nothing to send.
NEVER_SENT = frozenset({"private_address", "no_link"})


class BadLinkError(Refusal):
    """A link that certainly cannot be downloaded. The person may insist on most of them."""

    def __init__(self, verdict: Verdict) -> None:
        self.verdict = verdict
        self.suggestion = verdict.repaired
        self.can_insist = verdict.code not in NEVER_SENT
        super().__init__(f"{verdict.sentence} {verdict.advice}", code=f"LINK_{verdict.code.upper()}")


def refuse_bad_links(video: Video, links: Sequence[str], *, unchecked: bool = False) -> None:
    """Raise BadLinkError for links that are known to be bad, by their address or a look just now. Asks nobody.

    `unchecked`: the person insists, so only those are refused that could reach inside a network.
    """
    known = fresh_verdicts(video.bundle.workspace.team_id, links, needed_until=_needed_until())
    verdicts = [found or Verdict("not_checked") for found in known]
    if unchecked:
        verdicts = [found for found in verdicts if found.code in NEVER_SENT] or [Verdict("not_checked")]
    verdict = worst(verdicts)
    if verdict.is_bad:
        raise BadLinkError(verdict)


def look_before_sending(fix: Fix) -> Verdict | None:
    """Look at given links that nobody has looked at just now; the verdict if it forbids the fix."""
    # Links may stand between the images of an upload, too.
    links = fix.typed or [media.source for media in fix.media.order_by("order") if media.is_linked]
    if not links or fix.kind == FixKind.REHOST:
        return None
    if fix.unchecked:
        return Verdict("private_address") if any(map(_leads_inside, links)) else None
    look_now(fix.issue.workspace, fix.issue.video, links)
    try:
        refuse_bad_links(fix.issue.video, links)
    except BadLinkError as error:
        return error.verdict
    return None


def _leads_inside(link: str) -> bool:
    """Whether the host's name leads to an address that is not public. Nobody but the name server is asked."""
    network = current_network()
    try:
        network.resolve(network.parse(link))
    except NotPublicError:
        return True
    except (ValueError, NameMissingError, NameFailedError):
        return False
    return False


def look_now(workspace: Workspace, video: Video, links: Sequence[str]) -> None:
    """Look at those of the links that are not fresh; at most 15 seconds for each."""
    known = fresh_verdicts(workspace.team_id, links, needed_until=_needed_until())
    unknown = [link for link, verdict in zip(links, known, strict=True) if verdict is None]
    look_at_links(workspace, unknown, expects=media_kind_of(video), until=None)


def _needed_until() -> datetime | None:
    """TokPortal downloads a replacement at once: it need not last."""
    return None


def copy_is_missing(url: str) -> str:
    """The verdict's code where TokPortal's own copy certainly cannot be had; empty where it can, or cannot be told."""
    code = check_link(url).verdict.code if url else ""
    return code if code in COPY_MISSING else ""


def lost_image(video: VideoPayload, prefix: str) -> tuple[int, str]:
    """Which image of a fixed carousel (from 1) certainly cannot be had, and the verdict's code; (0, "") if none.

    Storage paths are opened at their public address; without a `prefix` nothing can be said of them.
    """

    def code_of(image: str) -> str:
        if not is_storage_path(image):
            return copy_is_missing(image)
        code = open_media(image, prefix=prefix).verdict.code
        return code if code in LOST & COPY_MISSING else ""

    with ThreadPoolExecutor(IMAGES_AT_A_TIME) as pool:  # no database in these threads
        codes = list(pool.map(code_of, video.carousel_images))
    return next(((number, code) for number, code in enumerate(codes, 1) if code), (0, ""))
