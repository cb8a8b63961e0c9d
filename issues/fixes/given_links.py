"""Links as people give them, at every door: cleaned, and refused with a sentence if they cannot be sent."""

import re
from collections.abc import Sequence

from django.utils import timezone
from django.utils.translation import gettext as _

from issues.fixes.link_gate import BadLinkError
from issues.link_checks.catalogue import Verdict
from issues.link_checks.masking import shown_url
from issues.link_checks.paste import clean, links_in, read
from issues.link_checks.resolver import current_network
from issues.link_checks.ssrf import MalformedError, NotPublicError, PortError
from issues.link_checks.url_rules import judge_link
from issues.link_checks.urls import sendable_form
from issues.problems import Refusal
from issues.tokportal.storage_paths import CAROUSEL_FOLDER, is_given_path


class LinkRefusal(Refusal):
    """A link that cannot be sent as it was given. `suggestion` is the link that may be meant."""

    code = "LINK_MALFORMED"

    def __init__(self, sentence: str, *, suggestion: str = "", can_insist: bool = False) -> None:
        super().__init__(sentence)
        self.suggestion, self.can_insist = suggestion, can_insist


def split_given(given: Sequence[str], *, several: bool) -> list[str]:
    """What was given, cleaned; one text for each link that is wanted.

    A video takes one link: lines of one paste belong together. A carousel takes one in each line, or several in a line
    that holds nothing but links.
    """
    if not several:
        text = clean("\n".join(given))
        return [text] if text else []
    texts: list[str] = []
    for line in given:
        texts += _links_of_line(line)
    return texts


def _links_of_line(line: str) -> list[str]:
    text = clean(line)
    pieces = [clean(piece) for piece in re.split(rf"[,;|]?\s+|[,;|](?=https?://|{CAROUSEL_FOLDER})", text)]
    pieces = [_path_in(piece) or piece for piece in pieces if piece]
    links = [piece for piece in pieces if re.match(r"(?i)https?://\S+$", piece)]
    is_all = len(links) + sum(map(is_given_path, pieces)) == len(pieces)
    if len(pieces) > 1 and is_all and (len(links) < 2 or len(links_in(text)) > 1):
        return pieces
    return [_path_in(text) or text] if text else []


def _path_in(text: str) -> str:
    """The storage path in a piece of a list, without the quotes and separators around it; empty if it is none."""
    path = text.strip(" ,;|\"'“”‘’")
    return path if is_given_path(path) else ""


def sendable_link(text: str, *, about: str = "", unchecked: bool = False) -> str:
    """One link in the form that is sent to TokPortal.

    `about` begins the sentence of a refusal ("Image 2: "). `unchecked`: take what a browser reads as one link, even if
    another one may be meant. Raises LinkRefusal, and BadLinkError for what may lead into a network.
    """
    reading = read(text)
    link = reading.link
    if not link:
        form = _browser_form(text) if reading.count < 2 else ""
        if not (unchecked and form):
            raise _refusal(text, reading.count, about, can_insist=bool(form))
        link = form
    try:
        current_network().parse(link)
    except NotPublicError as error:
        raise BadLinkError(Verdict("private_address")) from error
    except MalformedError as error:
        raise _refusal(text, 0, about, can_insist=False) from error
    except PortError:
        pass  # what our server does not ask for, TokPortal may
    return link


def _browser_form(text: str) -> str:
    try:
        return sendable_form(text)
    except ValueError:
        return ""


def _refusal(text: str, count: int, about: str, *, can_insist: bool) -> LinkRefusal:
    if count > 1:
        sentence = _("There are {count} links here, and one is wanted.").format(count=count)
        return LinkRefusal(f"{about}{sentence}")
    suggestion = judge_link(text, needed_until=None, now=timezone.now()).repaired
    sentence = _("This is not a complete web link. It begins with https://.")
    if suggestion:
        sentence = _("This is not a web link as it stands. Did you mean {link}?").format(link=shown_url(suggestion))
    return LinkRefusal(f"{about}{sentence}", suggestion=suggestion, can_insist=can_insist)
