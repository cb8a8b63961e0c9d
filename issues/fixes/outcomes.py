"""What a fix's outcome means: for each code one plain sentence and the next step."""

from dataclasses import dataclass

from issues.links.catalogue import CATALOGUE
from issues.tokportal import constants as c


@dataclass(frozen=True, slots=True)
class Outcome:
    """`say` is what happened, `next_step` what the person does about it."""

    say: str
    next_step: str


_ANOTHER = "Give another link, or upload the file."

OUTCOMES: dict[str, Outcome] = {
    # The six errors of the fix call.
    c.BUNDLE_NOT_FOUND: Outcome(
        "TokPortal does not know this bundle any more.", "Check in TokPortal whether it was deleted or rebuilt."
    ),
    c.BUNDLE_NOT_OWNED: Outcome(
        "This bundle belongs to another TokPortal account.", "Connect the account that ordered it, or ask its owner."
    ),
    c.VIDEO_NOT_FOUND: Outcome(
        "There is no video at this position.", "Check the bundle in TokPortal: the slot may have been removed."
    ),
    c.VIDEO_POSITION_OUT_OF_RANGE: Outcome(
        "The bundle has fewer slots than this position.", "Check the position in TokPortal."
    ),
    c.VIDEO_NO_DOWNLOAD_ISSUE: Outcome(
        "The flag was gone already: someone was faster, or the manager took it back.", "Nothing is left to do here."
    ),
    c.UPLOAD_FAILED: Outcome("TokPortal could not download or store this replacement.", _ANOTHER),
    # Possible on any call.
    c.AUTH_MISSING_KEY: Outcome("TokPortal got no key.", "Ask an owner to set the workspace's key in Settings."),
    c.AUTH_INVALID_KEY: Outcome("TokPortal refuses the workspace's key.", "Ask an owner to replace it in Settings."),
    c.AUTH_REVOKED_KEY: Outcome("The workspace's key was revoked.", "Ask an owner to replace it in Settings."),
    c.INSUFFICIENT_SCOPE: Outcome(
        "The workspace's key may only read.", "Ask an owner to add a key with the scope “write” in Settings."
    ),
    c.VALIDATION_ERROR: Outcome("TokPortal does not accept what was sent.", "Check the link, or upload the file."),
    c.UNKNOWN_FIELD: Outcome("TokPortal does not accept what was sent.", "Tell whoever runs TokDash."),
    c.INSUFFICIENT_CREDITS: Outcome(
        "The TokPortal account has too few credits.", "Top up the credits, then send the fix again."
    ),
    c.MANAGED_ACCOUNT_TASK_BLOCKED: Outcome(
        "The account's TokPortal Coverage has lapsed, so its tasks are blocked. Nothing was changed.",
        "Renew the Coverage in TokPortal, then send the fix again.",
    ),
    c.BUNDLE_INVALID_STATUS: Outcome(
        "The bundle's status does not allow a fix.", "Look at the bundle in TokPortal: it may be finished or cancelled."
    ),
    c.VIDEOS_PER_DAY_EXCEEDED: Outcome(
        "Tomorrow has three videos of this bundle already, which is TokPortal's limit.",
        "Move one of them in TokPortal, or send the fix again tomorrow.",
    ),
    # Our own.
    "OUTCOME_UNKNOWN": Outcome(
        "TokPortal gave no clear answer, and the flag is still set.",
        "Look at the video in TokPortal; if it is still flagged, send the fix again.",
    ),
    "NOT_SENT": Outcome(
        "TokPortal could not be reached for a long time, so nothing was sent.", "Send the fix again when it is back."
    ),
    "THROTTLED": Outcome("TokPortal was too busy for a day, so nothing was sent.", "Send the fix again."),
    "FLAG_STILL_SET": Outcome(
        "TokPortal accepted the fix, but the flag is still set.",
        "Look at the video in TokPortal and ask its support, giving the request id.",
    ),
    "NOT_READ_BACK": Outcome(
        "TokPortal accepted the fix, but it could not be read back.", "Check the video in TokPortal."
    ),
    "COPY_MISSING": Outcome(
        "TokPortal accepted the fix and the flag is gone, but its copy of the file cannot be opened.",
        "Open the video in TokPortal, and ask its support where the file is missing.",
    ),
    "DRY_RUN_OK": Outcome(
        "TokPortal would accept this fix. It was only simulated: nothing was changed.", "Send it for real."
    ),
    "FILE_DOUBTFUL": Outcome("The file that the link gives is not a complete video.", _ANOTHER),
    "FILE_TOO_LARGE": Outcome("The file that the link gives is too large.", _ANOTHER),
    "FILE_WRONG_KIND": Outcome("What the link gives does not fit this slot.", _ANOTHER),
    "FILE_EMPTY": Outcome("The file that the link gives is empty.", _ANOTHER),
    "UPLOAD_ABANDONED": Outcome("The upload was interrupted before it was complete.", "Upload the file again."),
    "CANCELLED": Outcome("The fix was cancelled before anything was sent.", "Start again when you are ready."),
    "UNDONE": Outcome("The fix was taken back before anything was sent.", "Start again when you are ready."),
    "NO_KEY": Outcome("The workspace has no key.", "Ask an owner to set one in Settings."),
    "STORAGE_REFUSED": Outcome("TokPortal's storage refused the file.", "Upload it again."),
    "DRY_RUN": Outcome("TokPortal only simulated the fix.", "Tell whoever runs TokDash."),
    "SEALED": Outcome(
        "The workspace's key cannot be opened on this server.", "Tell whoever runs TokDash: the field keys are wrong."
    ),
}

_BY_STATUS = {
    400: Outcome("TokPortal does not accept what was sent.", "Check the link, or upload the file."),
    401: OUTCOMES[c.AUTH_INVALID_KEY],
    402: OUTCOMES[c.INSUFFICIENT_CREDITS],
    403: Outcome("TokPortal does not allow this with the workspace's key.", "Ask an owner to check the key's scopes."),
    404: Outcome("TokPortal does not know this video any more.", "Check the bundle in TokPortal."),
    409: Outcome("The state in TokPortal does not allow this now.", "Look at the video in TokPortal, then try again."),
}
_OTHER = Outcome("TokPortal refused the fix.", "Look at the video in TokPortal, then try again.")


def outcome_of(code: str, status: int = 0) -> Outcome:
    """The sentence and next step for a code; by status for a code that we do not know."""
    rule = CATALOGUE.get(code.removeprefix("LINK_").lower()) if code.startswith("LINK_") else None
    if rule:
        return Outcome(f"The link was not sent. {rule.say}", rule.advice)
    return OUTCOMES.get(code) or _BY_STATUS.get(status) or _OTHER
