"""The catalogue of verdicts: for each code how sure we are, what to say, what to advise.

Codes and evidence are stored, never these sentences: they are made when they are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.enums import VerdictClass
from issues.wording import in_words, long_date_text

Cls = VerdictClass


@dataclass(frozen=True, slots=True)
class Rule:
    """A row of the catalogue: how sure, what to say, what to do; both in the reader's language."""

    cls: VerdictClass
    english: str
    english_advice: str

    @property
    def say(self) -> str:
        return gettext(self.english)

    @property
    def advice(self) -> str:
        return gettext(self.english_advice)


CATALOGUE: dict[str, Rule] = {
    "no_link": Rule(Cls.DEAD, _("There is no link in this slot."), _("Give a link or upload the file.")),
    "malformed": Rule(
        Cls.DEAD,
        _("This is not a complete web link."),
        _("Give the whole link, beginning with https://."),
    ),
    "private_address": Rule(Cls.DEAD, _("Only your own network can open this link."), _("Upload the file instead.")),
    "signature_expired": Rule(
        Cls.DEAD,
        _("This temporary link has run out."),
        _("Upload the file, or give a link that lasts."),
    ),
    "signature_expires_soon": Rule(
        Cls.EXPIRING,
        _("This link works for now, but ends before the video is posted."),
        _("Replace it now."),
    ),
    "signature_short_lived": Rule(
        Cls.EXPIRING,
        _("This temporary link can stop earlier than it says."),
        _("Upload the file to be safe."),
    ),
    # TokPortal converts share links of Drive and Dropbox: unsure by their address, ok once the file behind was opened.
    "drive_view_page": Rule(
        Cls.UNSURE,
        _("TokPortal converts this Google Drive share link. We could not open the file behind it."),
        _("Check that anyone with the link can download it, or upload the file."),
    ),
    "folder_link": Rule(
        Cls.WRONG,
        _("It leads to a folder: which video is meant?"),
        _("Give the file's own link."),
    ),
    "document_link": Rule(Cls.WRONG, _("It leads to a document, not to a video."), _("Give the video's link.")),
    "dropbox_preview": Rule(
        Cls.UNSURE,
        _("TokPortal converts this Dropbox share link. We could not open the file behind it."),
        _("Check that anyone with the link can download it, or upload the file."),
    ),
    "dropbox_incomplete": Rule(Cls.BLOCKED, _("A part of this Dropbox link is missing."), _("Copy the link again.")),
    "onedrive_page": Rule(Cls.WRONG, _("It opens a OneDrive page, not the file."), _("Upload the file instead.")),
    "sharepoint_login": Rule(
        Cls.BLOCKED,
        _("It opens a SharePoint page, often behind a company login."),
        _("Share it with “anyone with the link” and use its download link, or upload the file."),
    ),
    "transfer_page": Rule(
        Cls.WRONG,
        _("It opens a page that people have to click through."),
        _("Give a direct link or upload the file."),
    ),
    "social_post_page": Rule(Cls.WRONG, _("It is a published post, not the file."), _("Upload the original file.")),
    # What only the host can tell.
    "drive_virus_page": Rule(
        Cls.WRONG,
        _("Google puts a virus warning page in front of this file."),
        _("Upload the file, or use the confirmed form of the link."),
    ),
    "drive_no_access": Rule(
        Cls.BLOCKED,
        _("Only people who were invited can open it."),
        _("Share it with “anyone with the link”, or upload it."),
    ),
    "drive_quota": Rule(
        Cls.BLOCKED,
        _("Too many downloads: Google blocks this file for up to a day."),
        _("Upload a copy of the file."),
    ),
    "html_instead_of_media": Rule(
        Cls.WRONG, _("It opens a web page, not a media file."), _("Upload the file instead.")
    ),
    "not_media": Rule(
        Cls.WRONG,
        _("It is not a file that this slot can take."),
        _("Give the media file itself."),
    ),
    "http_404": Rule(Cls.DEAD, _("The file is gone (404)."), _("Give a new link, or upload the file.")),
    "http_410": Rule(
        Cls.DEAD,
        _("The file was removed for good (410)."),
        _("Give a new link, or upload the file."),
    ),
    "http_401": Rule(Cls.BLOCKED, _("A login is needed to open it."), _("Make the file public, or upload it.")),
    "http_403": Rule(
        Cls.BLOCKED,
        _("The host refuses outsiders (403)."),
        _("Make the file public, or upload it."),
    ),
    "signature_wrong": Rule(
        Cls.BLOCKED,
        _("The signature of this link is wrong: a part may be missing."),
        _("Copy the whole link again."),
    ),
    "http_refused": Rule(Cls.BLOCKED, _("The host refuses to give the file."), _("Upload the file instead.")),
    "bot_wall": Rule(
        Cls.UNSURE,
        _("The host may take us for a robot."),
        _("Open it yourself; uploading the file removes all doubt."),
    ),
    "rate_limited": Rule(Cls.UNSURE, _("The host is busy."), _("We look again later.")),
    "dns_missing": Rule(Cls.DEAD, _("There is no such site."), _("Check the name for a typing error.")),
    "dns_failed": Rule(Cls.UNSURE, _("The site's name could not be looked up."), _("We look again later.")),
    "names_unavailable": Rule(
        Cls.UNSURE,
        _("Our server cannot look up any names now, so the link could not be checked."),
        _("Open it yourself; this is our trouble, not the link's."),
    ),
    "tls_bad": Rule(
        Cls.BLOCKED,
        _("The site's certificate is not valid."),
        _("Tell the site's owner, or upload the file."),
    ),
    "tls_failed": Rule(
        Cls.UNSURE,
        _("No secure connection could be made."),
        _("Open it yourself, or upload the file."),
    ),
    "connection_failed": Rule(
        Cls.UNSURE,
        _("The host cannot be reached now."),
        _("Open it yourself, or upload the file."),
    ),
    "not_http": Rule(
        Cls.UNSURE,
        _("The host's answer cannot be read."),
        _("Open it yourself, or upload the file."),
    ),
    "odd_port": Rule(
        Cls.UNSURE,
        _("It uses a port that we do not look at."),
        _("Open it yourself, or upload the file to be sure."),
    ),
    "unknown_bytes": Rule(
        Cls.UNSURE,
        _("It downloads, but we do not know this kind of file."),
        _("Open it yourself, or upload an MP4."),
    ),
    "file_gone": Rule(
        Cls.DEAD, _("The host says that this file does not exist."), _("Give a new link, or upload the file.")
    ),
    "signature_revoked": Rule(
        Cls.DEAD,
        _("The key behind this temporary link is no longer accepted."),
        _("Upload the file, or make a new link."),
    ),
    "archived": Rule(
        Cls.BLOCKED,
        _("The file lies in an archive and must be restored before anybody can download it."),
        _("Ask its owner to restore it, or upload the file."),
    ),
    "traffic_limit": Rule(
        Cls.BLOCKED,
        _("The host has paused downloads of this file, because there were too many."),
        _("Upload the file instead."),
    ),
    "drive_infected": Rule(
        Cls.BLOCKED,
        _("Google has found a virus in this file and gives it to its owner only."),
        _("Export the file again and upload it."),
    ),
    "login_page": Rule(
        Cls.BLOCKED,
        _("A sign-in page comes first: only people with an account can open it."),
        _("Make the file public, or upload it."),
    ),
    "not_ready": Rule(Cls.UNSURE, _("The host is still preparing this file."), _("We check it again later.")),
    "needs_browser": Rule(
        Cls.UNSURE,
        _("The host gives this file to web browsers only, so TokPortal may be refused."),
        _("Upload the file to be safe."),
    ),
    "needs_cookie": Rule(
        Cls.UNSURE,
        _("The host gives this file only to visitors who keep its cookie, so TokPortal may not get it."),
        _("Upload the file to be safe."),
    ),
    "packed_body": Rule(
        Cls.UNSURE,
        _("The host sends the file compressed in a way that we cannot read, so nothing was seen of it."),
        _("Open it yourself, or upload the file."),
    ),
    "unusual_video": Rule(
        Cls.UNSURE,
        _("It opens here, but TokPortal may not take this video format."),
        _("Export it as MP4 (H.264), and upload that."),
    ),
    "unusual_image": Rule(
        Cls.UNSURE,
        _("It opens here, but TokPortal may not take this image format."),
        _("Save it as JPEG, and upload that."),
    ),
    "timeout": Rule(Cls.UNSURE, _("The host did not answer in time."), _("Upload the file to be safe.")),
    "too_slow": Rule(Cls.UNSURE, _("The host is too slow for this file."), _("Upload the file to be safe.")),
    "server_error": Rule(Cls.UNSURE, _("The host has a problem now."), _("We look again later.")),
    "unsteady": Rule(
        Cls.UNSURE,
        _("The host answers now so, now otherwise."),
        _("Open it yourself, or upload the file."),
    ),
    "redirect_loop": Rule(Cls.DEAD, _("The link goes in circles."), _("Give the link where it ends.")),
    "redirect_many": Rule(
        Cls.UNSURE,
        _("The link leads from one address to the next, too often to follow."),
        _("Give the link where it ends."),
    ),
    "redirect_nowhere": Rule(
        Cls.DEAD,
        _("The link leads to something that is no web link."),
        _("Give the file's own link, or upload the file."),
    ),
    "redirect_downgrade": Rule(
        Cls.DEAD,
        _("The link leads from a secure to an insecure address."),
        _("Give the link where it ends."),
    ),
    "empty_file": Rule(Cls.DEAD, _("The file is empty."), _("Export it again and upload it.")),
    "truncated": Rule(Cls.DEAD, _("The file breaks off before its end."), _("Export it again and upload it.")),
    "mp4_unfinished": Rule(
        Cls.DEAD,
        _("The video file is incomplete: its export was not finished."),
        _("Export it again and upload it."),
    ),
    "tokportal_copy_ok": Rule(
        Cls.OK,
        _("It is TokPortal's own copy, and it is healthy."),
        _("Ask the manager, or send the same file again."),
    ),
    "tokportal_file": Rule(
        Cls.UNSURE,
        _("It is TokPortal's own file; TokDash has not opened it."),
        _("It can be sent again as it is."),
    ),
    "works_for_us": Rule(Cls.OK, _("It opens fine here."), _("Send it again as a file of TokPortal's own.")),
    "story_not_repairable": Rule(
        Cls.UNSURE,
        _("TokPortal has no way to replace a story's picture."),
        _("Talk to the manager or TokPortal's support."),
    ),
    "carousel_partial": Rule(
        Cls.WRONG,
        _("Some images have a bad link."),
        _("Replace just those; the whole list is sent."),
    ),
    "not_checked": Rule(
        Cls.UNSURE,
        _("Its address shows nothing wrong."),
        _("Open it yourself, or upload the file to be sure."),
    ),
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What we think of a link. `until` is the end of a temporary link, `repaired` a form of it that may work.

    `fact` is a word of the evidence that belongs into the sentence: what a file is, how slow a host is.
    `direct` is the file's own address behind a share link that TokPortal converts: it is opened in place of the page.
    `opened`: that was done, and the file came.
    """

    code: str
    until: datetime | None = None
    repaired: str = ""
    index: int | None = None  # in a carousel: which image, from 1
    count: int = 1
    fact: str = ""
    direct: str = ""
    opened: bool = False

    @property
    def cls(self) -> VerdictClass:
        return Cls.OK if self.opened else CATALOGUE[self.code].cls

    @property
    def needs_request(self) -> bool:
        """Whether only the host can tell, and has not been asked."""
        return self.code == "not_checked" or bool(self.direct and not self.opened)

    @property
    def has_own_advice(self) -> bool:
        """Whether there is more to advise than to wait, or to open it oneself."""
        return self.is_bad or self.code in _WORTH_AN_UPLOAD

    @property
    def is_bad(self) -> bool:
        return self.cls in {Cls.DEAD, Cls.BLOCKED, Cls.WRONG}

    @property
    def sentence(self) -> str:
        """One sentence for a person; the time of an end is in UTC here, pages show it in the person's zone."""
        text = CATALOGUE[self.code].say
        if self.code == "signature_expired" and self.until:
            text = gettext("This temporary link ran out on {until} UTC.").format(until=self._end)
        elif self.code == "signature_expires_soon" and self.until:
            text = gettext("This link ends on {until} UTC, before the video is posted.").format(until=self._end)
        elif self.opened:
            said = gettext(
                "TokPortal converts {service} share links, and the file behind this one opens fine here: {fact}."
            )
            text = said.format(service=_SHARES.get(self.code, ""), fact=in_words(self.fact))
        elif self.direct:
            said = gettext("It is a {service} share link. TokPortal converts it, if anyone with the link can open it.")
            text = said.format(service=_SHARES.get(self.code, ""))
        elif self.fact and self.code in _WITH_FACT:
            text = gettext(_WITH_FACT[self.code]).format(in_words(self.fact))
        if self.until and self.cls is Cls.OK:
            ends = gettext("This temporary link ends on {until} UTC.").format(until=self._end)
            text = f"{text} {ends}"
        return (
            gettext("Image {index} of {count}: {text}").format(index=self.index, count=self.count, text=text)
            if self.index
            else text
        )

    @property
    def _end(self) -> str:
        end = self.until.astimezone(UTC) if self.until else None
        return f"{long_date_text(end)}, {end:%H:%M}" if end else ""

    @property
    def advice(self) -> str:
        if self.opened:
            return gettext("Use the direct link of the same file to be sure.")
        if self.code == "malformed" and self.repaired:
            return gettext("Use this link.")
        return CATALOGUE[self.code].advice

    def for_image(self, index: int, count: int) -> "Verdict":
        return replace(self, index=index, count=count)


_SHARES = {"drive_view_page": "Google Drive", "dropbox_preview": "Dropbox"}
_WORTH_AN_UPLOAD = frozenset({"unusual_video", "unusual_image", "needs_browser", "needs_cookie"})
_WITH_FACT = {
    "malformed": _("There are {} here, and one is wanted."),
    "transfer_page": _("It opens a page of {}, not the file."),
    "social_post_page": _("It is a post on {}, not the file."),
    "login_page": _("People must log in to {} to open it."),
    "not_media": _("This is {}."),
    "html_instead_of_media": _("It opens {}, not a media file."),
    "http_refused": _("The host refuses to give the file ({})."),
    "rate_limited": _("The host is busy and asks us to wait {}."),
    "too_slow": _("The host is slow: the whole file would take about {}."),
    "tls_bad": _("The site's certificate is not valid: {}."),
    "truncated": _("The file breaks off at {}."),
    "unusual_video": _("It opens here, but it is {}: TokPortal may not take that."),
    "unusual_image": _("It opens here, but it is {}: TokPortal may not take that."),
    "works_for_us": _("It opens fine here: {}."),
    "tokportal_copy_ok": _("It is TokPortal's own copy, and it is healthy: {}."),
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
