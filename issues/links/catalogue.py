"""The catalogue of verdicts: for each code how sure we are, what to say, what to advise.

Codes and evidence are stored, never these sentences: they are made when they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from issues.enums import VerdictClass

Cls = VerdictClass


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the catalogue: how sure, what to say, what to do."""

    cls: VerdictClass
    say: str
    advice: str


CATALOGUE: dict[str, Rule] = {
    "no_link": Rule(Cls.DEAD, "There is no link in this slot.", "Give a link or upload the file."),
    "malformed": Rule(Cls.DEAD, "This is not a complete web link.", "Give the whole link, beginning with https://."),
    "private_address": Rule(Cls.DEAD, "Only your own network can open this link.", "Upload the file instead."),
    "signature_expired": Rule(
        Cls.DEAD, "This temporary link has run out.", "Upload the file, or give a link that lasts."
    ),
    "signature_expires_soon": Rule(
        Cls.EXPIRING, "This link works for now, but ends before the video is posted.", "Replace it now."
    ),
    "signature_short_lived": Rule(
        Cls.EXPIRING, "This temporary link can stop earlier than it says.", "Upload the file to be safe."
    ),
    "drive_view_page": Rule(
        Cls.WRONG, "It opens Google Drive's player, not the file.", "Use the direct download form of the same file."
    ),
    "folder_link": Rule(Cls.WRONG, "It leads to a folder: which video is meant?", "Give the file's own link."),
    "document_link": Rule(Cls.WRONG, "It leads to a document, not to a video.", "Give the video's link."),
    "dropbox_preview": Rule(
        Cls.WRONG, "It opens Dropbox's page, not the file.", "Use the download form of the same link (dl=1)."
    ),
    "dropbox_incomplete": Rule(Cls.BLOCKED, "A part of this Dropbox link is missing.", "Copy the link again."),
    "onedrive_page": Rule(Cls.WRONG, "It opens a OneDrive page, not the file.", "Upload the file instead."),
    "sharepoint_login": Rule(Cls.BLOCKED, "A company login stands in front of the file.", "Upload the file instead."),
    "transfer_page": Rule(
        Cls.WRONG, "It opens a page that people have to click through.", "Give a direct link or upload the file."
    ),
    "social_post_page": Rule(Cls.WRONG, "It is a published post, not the file.", "Upload the original file."),
    # What only the host can tell.
    "drive_virus_page": Rule(
        Cls.WRONG,
        "Google puts a virus warning page in front of this file.",
        "Upload the file, or use the confirmed form of the link.",
    ),
    "drive_no_access": Rule(
        Cls.BLOCKED, "Only people who were invited can open it.", "Share it with “anyone with the link”, or upload it."
    ),
    "drive_quota": Rule(
        Cls.BLOCKED, "Too many downloads: Google blocks this file for up to a day.", "Upload a copy of the file."
    ),
    "html_instead_of_media": Rule(Cls.WRONG, "It opens a web page, not a media file.", "Upload the file instead."),
    "not_media": Rule(Cls.WRONG, "It is not a file that this slot can take.", "Give the media file itself."),
    "http_404": Rule(Cls.DEAD, "The file is gone (404).", "Give a new link, or upload the file."),
    "http_410": Rule(Cls.DEAD, "The file was removed for good (410).", "Give a new link, or upload the file."),
    "http_401": Rule(Cls.BLOCKED, "A login is needed to open it.", "Make the file public, or upload it."),
    "http_403": Rule(Cls.BLOCKED, "The host refuses outsiders (403).", "Make the file public, or upload it."),
    "signature_wrong": Rule(
        Cls.BLOCKED, "The signature of this link is wrong: a part may be missing.", "Copy the whole link again."
    ),
    "http_refused": Rule(Cls.BLOCKED, "The host refuses to give the file.", "Upload the file instead."),
    "bot_wall": Rule(
        Cls.UNSURE, "The host may take us for a robot.", "Open it yourself; uploading the file removes all doubt."
    ),
    "rate_limited": Rule(Cls.UNSURE, "The host is busy.", "We look again later."),
    "dns_missing": Rule(Cls.DEAD, "There is no such site.", "Check the name for a typing error."),
    "dns_failed": Rule(Cls.UNSURE, "The site's name could not be looked up.", "We look again later."),
    "names_unavailable": Rule(
        Cls.UNSURE,
        "Our server cannot look up any names now, so the link could not be checked.",
        "Open it yourself; this is our trouble, not the link's.",
    ),
    "tls_bad": Rule(Cls.BLOCKED, "The site's certificate is not valid.", "Tell the site's owner, or upload the file."),
    "tls_failed": Rule(Cls.UNSURE, "No secure connection could be made.", "Open it yourself, or upload the file."),
    "connection_failed": Rule(Cls.UNSURE, "The host cannot be reached now.", "Open it yourself, or upload the file."),
    "not_http": Rule(Cls.UNSURE, "The host's answer cannot be read.", "Open it yourself, or upload the file."),
    "odd_port": Rule(
        Cls.UNSURE, "It uses a port that we do not look at.", "Open it yourself, or upload the file to be sure."
    ),
    "unknown_bytes": Rule(
        Cls.UNSURE, "It downloads, but we do not know this kind of file.", "Open it yourself, or upload an MP4."
    ),
    "timeout": Rule(Cls.UNSURE, "The host did not answer in time.", "Upload the file to be safe."),
    "too_slow": Rule(Cls.UNSURE, "The host is too slow for this file.", "Upload the file to be safe."),
    "server_error": Rule(Cls.UNSURE, "The host has a problem now.", "We look again later."),
    "unsteady": Rule(Cls.UNSURE, "The host answers now so, now otherwise.", "Open it yourself, or upload the file."),
    "redirect_loop": Rule(Cls.DEAD, "The link goes in circles.", "Give the link where it ends."),
    "redirect_many": Rule(
        Cls.UNSURE, "The link leads from one address to the next, too often to follow.", "Give the link where it ends."
    ),
    "redirect_nowhere": Rule(
        Cls.DEAD, "The link leads to something that is no web link.", "Give the file's own link, or upload the file."
    ),
    "redirect_downgrade": Rule(
        Cls.DEAD, "The link leads from a secure to an insecure address.", "Give the link where it ends."
    ),
    "empty_file": Rule(Cls.DEAD, "The file is empty.", "Export it again and upload it."),
    "truncated": Rule(Cls.DEAD, "The file breaks off before its end.", "Export it again and upload it."),
    "mp4_unfinished": Rule(
        Cls.DEAD, "The video file is incomplete: its export was not finished.", "Export it again and upload it."
    ),
    "tokportal_copy_ok": Rule(
        Cls.OK, "It is TokPortal's own copy, and it is healthy.", "Ask the manager, or send the same file again."
    ),
    "works_for_us": Rule(Cls.OK, "It opens fine here.", "Send it again as a file of TokPortal's own."),
    "story_not_repairable": Rule(
        Cls.UNSURE, "TokPortal has no way to replace a story's picture.", "Talk to the manager or TokPortal's support."
    ),
    "carousel_partial": Rule(Cls.WRONG, "Some images have a bad link.", "Replace just those; the whole list is sent."),
    "not_checked": Rule(
        Cls.UNSURE, "Its address shows nothing wrong.", "Open it yourself, or upload the file to be sure."
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we think of a link. `until` is the end of a temporary link, `repaired` a form of it that may work.

    `fact` is a word of the evidence that belongs into the sentence: what a file is, how slow a host is.
    """

    code: str
    until: datetime | None = None
    repaired: str = ""
    index: int | None = None  # in a carousel: which image, from 1
    count: int = 1
    fact: str = ""

    @property
    def cls(self) -> VerdictClass:
        return CATALOGUE[self.code].cls

    @property
    def is_bad(self) -> bool:
        return self.cls in {Cls.DEAD, Cls.BLOCKED, Cls.WRONG}

    @property
    def sentence(self) -> str:
        """One sentence for a person; the time of an end is in UTC here, pages show it in the person's zone."""
        text = CATALOGUE[self.code].say
        if self.code == "signature_expired" and self.until:
            text = f"This temporary link ran out on {self.until:%-d %B %Y, %H:%M} UTC."
        elif self.code == "signature_expires_soon" and self.until:
            text = f"This link ends on {self.until:%-d %B, %H:%M} UTC, before the video is posted."
        elif self.fact and self.code in _WITH_FACT:
            text = _WITH_FACT[self.code].format(self.fact)
        return f"Image {self.index} of {self.count}: {text}" if self.index else text

    @property
    def advice(self) -> str:
        return CATALOGUE[self.code].advice

    def for_image(self, index: int, count: int) -> "Verdict":
        return replace(self, index=index, count=count)


_WITH_FACT = {
    "not_media": "This is {}.",
    "html_instead_of_media": "It opens {}, not a media file.",
    "http_refused": "The host refuses to give the file ({}).",
    "rate_limited": "The host is busy and asks us to wait {}.",
    "too_slow": "The host is slow: the whole file would take about {}.",
    "tls_bad": "The site's certificate is not valid: {}.",
    "truncated": "The file breaks off at {}.",
    "works_for_us": "It opens fine here: {}.",
    "tokportal_copy_ok": "It is TokPortal's own copy, and it is healthy: {}.",
}
# The worst of a carousel's images speaks for it.
SEVERITY = {Cls.OK: 0, Cls.UNSURE: 1, Cls.EXPIRING: 2, Cls.BLOCKED: 3, Cls.WRONG: 4, Cls.DEAD: 5}


def worst_of(verdicts: Sequence[Verdict]) -> Verdict:
    """The verdict on a slot with several links: that of its worst image, which it names."""
    worst = max(range(len(verdicts)), key=lambda number: (SEVERITY[verdicts[number].cls], -number))
    found = verdicts[worst]
    if len(verdicts) > 1 and found.cls not in {Cls.OK, Cls.UNSURE}:
        return found.for_image(worst + 1, len(verdicts))
    return found
