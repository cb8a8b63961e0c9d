"""What a fix's outcome means: for each code one plain sentence and the next step."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.link_checks.catalogue import CATALOGUE
from issues.tokportal import constants as c
from issues.tokportal.blocked import BlockedBy, blocked_by, shown_reason
from issues.tokportal.errors import TokPortalError
from issues.tokportal.service_payloads import read_number
from issues.wording import price_sentence


@dataclass(frozen=True, slots=True)
class Outcome:
    """`say` is what happened, `next_step` what the person does about it; both in the reader's language."""

    english: str
    english_next_step: str
    detail: str = ""  # TokPortal's own word, shown as it is
    credits: float | None = None  # what it would cost

    @property
    def say(self) -> str:
        said = gettext(self.english)
        said = f"{said} ({self.detail})" if self.detail else said
        return f"{said} {price_sentence(self.credits)}".rstrip()

    @property
    def next_step(self) -> str:
        return gettext(self.english_next_step)


_ANOTHER = _("Give another link, or upload the file.")

OUTCOMES: dict[str, Outcome] = {
    # The six errors of the fix call.
    c.BUNDLE_NOT_FOUND: Outcome(
        _("TokPortal does not know this bundle any more."),
        _("Check in TokPortal whether it was deleted or rebuilt."),
    ),
    c.BUNDLE_NOT_OWNED: Outcome(
        _("This bundle belongs to another TokPortal account."),
        _("Connect the account that ordered it, or ask its owner."),
    ),
    c.VIDEO_NOT_FOUND: Outcome(
        _("There is no video at this position."),
        _("Check the bundle in TokPortal: the slot may have been removed."),
    ),
    c.VIDEO_POSITION_OUT_OF_RANGE: Outcome(
        _("The bundle has fewer slots than this position."), _("Check the position in TokPortal.")
    ),
    c.VIDEO_NO_DOWNLOAD_ISSUE: Outcome(
        _("The flag was gone already: someone was faster, or the manager took it back."),
        _("Nothing is left to do here."),
    ),
    c.UPLOAD_FAILED: Outcome(_("TokPortal could not download or store this replacement."), _ANOTHER),
    # Possible on any call.
    c.AUTH_MISSING_KEY: Outcome(_("TokPortal got no key."), _("Ask an owner to set the workspace's key in Settings.")),
    c.AUTH_INVALID_KEY: Outcome(
        _("TokPortal refuses the workspace's key."), _("Ask an owner to replace it in Settings.")
    ),
    c.AUTH_REVOKED_KEY: Outcome(_("The workspace's key was revoked."), _("Ask an owner to replace it in Settings.")),
    c.INSUFFICIENT_SCOPE: Outcome(
        _("The workspace's key may only read."),
        _("Ask an owner to add a key with the scope “write” in Settings."),
    ),
    c.VALIDATION_ERROR: Outcome(
        _("TokPortal does not accept what was sent."), _("Check the link, or upload the file.")
    ),
    c.UNKNOWN_FIELD: Outcome(
        _("TokPortal does not know a field that TokDash sent: its API may have changed."),
        _("Tell the person who runs TokDash."),
    ),
    c.INSUFFICIENT_CREDITS: Outcome(
        _("The TokPortal account has too few credits."),
        _("Top up the credits, then send the fix again."),
    ),
    # Without a reason that we know; `BLOCKED` has the others.
    c.MANAGED_ACCOUNT_TASK_BLOCKED: Outcome(
        _("TokPortal blocks work on this account for a reason that TokDash does not know. Nothing was changed."),
        _("Look at the account in TokPortal, or ask its support and give the request id."),
    ),
    c.BUNDLE_INVALID_STATUS: Outcome(
        _("The bundle's status does not allow a fix."),
        _("Look at the bundle in TokPortal: it may be finished or cancelled."),
    ),
    c.INVALID_STATUS_TRANSITION: Outcome(
        _("The video's status does not allow a fix now."),
        _("Look at the video in TokPortal: it may have been posted or cancelled meanwhile."),
    ),
    c.INVALID_DATE: Outcome(
        _("TokPortal does not accept the publish date: it is too early or not a date."),
        _("Choose a later day in TokPortal, then send the fix again."),
    ),
    c.YOUTUBE_DELAYED: Outcome(
        _("TokPortal does not take this for YouTube at the moment."),
        _("Try again later, or arrange it with TokPortal's support."),
    ),
    c.CAPACITY_COOLDOWN: Outcome(
        _("TokPortal has no capacity to publish more right now. Nothing was changed."),
        _("Send the fix again later."),
    ),
    c.RATE_LIMIT_EXCEEDED: Outcome(
        _("TokPortal is asked too often with this key right now."), _("Try again in a minute.")
    ),
    c.IDEMPOTENCY_NOT_ALLOWED: Outcome(
        _("TokPortal does not accept the request in the form in which TokDash sent it."),
        _("Tell the person who runs TokDash."),
    ),
    c.IDEMPOTENCY_KEY_REUSED: Outcome(
        _("TokPortal has seen this fix's key with another request, so it did nothing."),
        _("Send the fix again: it gets a new key."),
    ),
    c.VIDEOS_PER_DAY_EXCEEDED: Outcome(
        _("Tomorrow has three videos of this bundle already, which is TokPortal's limit."),
        _("Move one of them in TokPortal, or send the fix again tomorrow."),
    ),
    # Our own.
    "OUTCOME_UNKNOWN": Outcome(
        _("TokPortal gave no clear answer, and the flag is still set."),
        _("Look at the video in TokPortal; if it is still flagged, send the fix again."),
    ),
    "NOT_SENT": Outcome(
        _("TokPortal could not be reached for a long time, so nothing was sent."),
        _("Send the fix again when it is back."),
    ),
    "THROTTLED": Outcome(_("TokPortal was too busy for a day, so nothing was sent."), _("Send the fix again.")),
    "FLAG_STILL_SET": Outcome(
        _("TokPortal accepted the fix, but the flag is still set."),
        _("Look at the video in TokPortal and ask its support, giving the request id."),
    ),
    "NOT_READ_BACK": Outcome(
        _("TokPortal accepted the fix, but it could not be read back."),
        _("Check the video in TokPortal."),
    ),
    "COPY_MISSING": Outcome(
        _("TokPortal accepted the fix and the flag is gone, but its copy of the file cannot be opened."),
        _("Open the video in TokPortal, and ask its support where the file is missing."),
    ),
    "DRY_RUN_OK": Outcome(
        _("TokPortal would accept this fix. It was only simulated: nothing was changed."),
        _("Send it for real."),
    ),
    "FILE_DOUBTFUL": Outcome(_("The file that the link gives is not a complete video."), _ANOTHER),
    "FILE_TOO_LARGE": Outcome(_("The file that the link gives is too large."), _ANOTHER),
    "FILE_WRONG_KIND": Outcome(_("What the link gives does not fit this slot."), _ANOTHER),
    "FILE_EMPTY": Outcome(_("The file that the link gives is empty."), _ANOTHER),
    "FEWER_IMAGES": Outcome(
        _("The carousel holds more images than this fix has, so nothing was sent."),
        _("Add the missing images, or send it again and confirm that there are fewer."),
    ),
    "UPLOAD_ABANDONED": Outcome(_("The upload was interrupted before it was complete."), _("Upload the file again.")),
    "CANCELLED": Outcome(_("The fix was cancelled before anything was sent."), _("Start again when you are ready.")),
    "UNDONE": Outcome(
        _("The fix was taken back before anything was sent."),
        _("Start again when you are ready."),
    ),
    "NO_KEY": Outcome(_("The workspace has no key."), _("Ask an owner to set one in Settings.")),
    "STORAGE_REFUSED": Outcome(_("TokPortal's storage refused the file."), _("Upload it again.")),
    "DRY_RUN": Outcome(_("TokPortal only simulated the fix."), _("Tell whoever runs TokDash.")),
    "SEALED": Outcome(
        _("The workspace's key cannot be opened on this server."),
        _("Tell whoever runs TokDash: the field keys are wrong."),
    ),
}

# `MANAGED_ACCOUNT_TASK_BLOCKED`, by what its reason means. Only lapsed or paused Coverage can be renewed.
BLOCKED: dict[BlockedBy, Outcome] = {
    BlockedBy.LAPSED: Outcome(
        _("The account's TokPortal Coverage has lapsed, so its tasks are blocked. Nothing was changed."),
        _("Renew the Coverage in TokPortal, then send the fix again."),
    ),
    BlockedBy.PAUSED: Outcome(
        _("The account's TokPortal Coverage was paused or cancelled, so its tasks are blocked. Nothing was changed."),
        _("Reactivate the Coverage in TokPortal, then send the fix again."),
    ),
    BlockedBy.BANNED: Outcome(
        _("The platform has banned this account, so nothing can be posted on it. Nothing was changed."),
        _("Look at the ban in TokPortal: a fix cannot help until the account is remade."),
    ),
    BlockedBy.APPEAL: Outcome(
        _("The platform has locked this account, and an appeal is pending. Nothing was changed."),
        _("Wait for the outcome of the appeal, then send the fix again."),
    ),
    BlockedBy.DETACHED: Outcome(
        _("TokPortal no longer manages this account: its login was handed over. Nothing was changed."),
        _("Post the video yourself, or order a new account in TokPortal."),
    ),
    BlockedBy.ENDED: Outcome(
        _("TokPortal's work on this account has ended for good. Nothing was changed."),
        _("It cannot be renewed: use another account, or ask TokPortal's support."),
    ),
}

_BY_STATUS = {
    400: Outcome(_("TokPortal does not accept what was sent."), _("Check the link, or upload the file.")),
    401: OUTCOMES[c.AUTH_INVALID_KEY],
    402: OUTCOMES[c.INSUFFICIENT_CREDITS],
    403: Outcome(
        _("TokPortal does not allow this with the workspace's key."),
        _("Ask an owner to check the key's scopes."),
    ),
    404: Outcome(_("TokPortal does not know this video any more."), _("Check the bundle in TokPortal.")),
    409: Outcome(
        _("The state in TokPortal does not allow this now."),
        _("Look at the video in TokPortal, then try again."),
    ),
}
_OTHER = Outcome(_("TokPortal refused the fix."), _("Look at the video in TokPortal, then try again."))


def outcome_of(code: str, status: int = 0, details: Mapping[str, Any] | None = None) -> Outcome:
    """The sentence and next step for a code; by status for a code that we do not know.

    `details` is what TokPortal tells beside the code (`Fix.code_details`): it decides where one code has several
    causes.
    """
    if code == c.MANAGED_ACCOUNT_TASK_BLOCKED:
        return _outcome_of_blocked((details or {}).get("reason"))
    if code == "DRY_RUN_OK":
        return replace(OUTCOMES[code], credits=read_number((details or {}).get("credits_would_charge")))
    rule = CATALOGUE.get(code.removeprefix("LINK_").lower()) if code.startswith("LINK_") else None
    if rule:
        return Outcome(gettext("The link was not sent. {say}").format(say=rule.say), rule.advice)
    return OUTCOMES.get(code) or _BY_STATUS.get(status) or _OTHER


def _outcome_of_blocked(reason: object) -> Outcome:
    known = BLOCKED.get(blocked_by(reason))
    return known or replace(OUTCOMES[c.MANAGED_ACCOUNT_TASK_BLOCKED], detail=shown_reason(reason))


def outcome_of_fix(code: str, code_details: Mapping[str, Any]) -> Outcome:
    """The same from what a fix keeps of TokPortal's answer."""
    status = code_details.get("status", 0)
    found = outcome_of(code, status if isinstance(status, int) else 0, code_details)
    words = code_details.get("message")
    if code != c.VALIDATION_ERROR or not isinstance(words, str) or words in {"", code}:
        return found
    # What TokPortal does not accept, only its own words can tell.
    say = gettext("{say} TokPortal says: “{words}”.").format(say=found.say, words=words[:200].rstrip(" ."))
    return Outcome(say, found.next_step)


# What is kept of an error's details: what decides the sentence, and what TokPortal's support asks for.
_TOLD_DETAILS = ("reason", "account_id", "earliest_allowed", "required", "available", "missing")


def told_details(error: TokPortalError) -> dict[str, Any]:
    """Plain values of the error's details, kept short."""
    found = {name: error.details.get(name) for name in _TOLD_DETAILS}
    return {
        name: value[:200] if isinstance(value, str) else value
        for name, value in found.items()
        if isinstance(value, str | int | float) and not isinstance(value, bool)
    }
