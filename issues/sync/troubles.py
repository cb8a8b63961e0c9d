"""Why the sync cannot ask, in one plain sentence for each code."""

from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issues.tokportal import constants as c

_AWAY = _("TokPortal does not answer.")
_BROKEN = _("What answers in TokPortal's place is not TokPortal: a proxy's page, or a broken answer.")
SENTENCES = {
    "AWAY": _AWAY,
    "CONNECTION_REFUSED": _("No connection to TokPortal can be made."),
    "CONNECT_TIMEOUT": _("Connecting to TokPortal takes too long."),
    "NAME_NOT_FOUND": _("TokPortal's name cannot be resolved: is the network there?"),
    "TLS_FAILED": _("No secure connection to TokPortal can be made."),
    "BAD_ADDRESS": _("The workspace's base URL is not usable."),
    "NOT_SENT": _("No connection to TokPortal can be made."),
    "LOST_ANSWER": _("TokPortal breaks off in the middle of its answers, or takes too long."),
    "UNREADABLE_ANSWER": _BROKEN,
    "BUDGET_WAIT": _("The rate limit of this key is used up by something else."),
    "NO_KEY": _("The workspace has no key."),
    c.RATE_LIMIT_EXCEEDED: _("TokPortal says that this key asks too often: something else uses it too."),
    c.INSUFFICIENT_SCOPE: _("The key may not read: give it the scope “read” or “*”."),
    c.AUTH_REVOKED_KEY: _("The key was revoked."),
    c.AUTH_INVALID_KEY: _("TokPortal does not know the key."),
    c.AUTH_MISSING_KEY: _("TokPortal got no key."),
    "NOT_STORABLE": _("An answer of TokPortal's could not be stored; whoever runs TokDash finds it in the log."),
    "LEASE_LOST": _("Another worker took over."),
    "INTERRUPTED": _("The worker was stopped in the middle."),
}


def sentence_of(code: str) -> str:
    """What a code means, for people; a code that we do not know is TokPortal's own error."""
    if not code:
        return ""
    sentence = SENTENCES.get(code)
    return (
        gettext(sentence) if sentence else gettext("TokPortal reports an error of its own ({code}).").format(code=code)
    )
