"""Why the sync cannot ask, in one plain sentence for each code."""

from issues.tokportal import constants as c

_AWAY = "TokPortal does not answer."
_BROKEN = "What answers in TokPortal's place is not TokPortal: a proxy's page, or a broken answer."
SENTENCES = {
    "AWAY": _AWAY,
    "CONNECTION_REFUSED": "No connection to TokPortal can be made.",
    "CONNECT_TIMEOUT": "Connecting to TokPortal takes too long.",
    "NAME_NOT_FOUND": "TokPortal's name cannot be resolved: is the network there?",
    "TLS_FAILED": "No secure connection to TokPortal can be made.",
    "BAD_ADDRESS": "The workspace's base URL is not usable.",
    "NOT_SENT": "No connection to TokPortal can be made.",
    "LOST_ANSWER": "TokPortal breaks off in the middle of its answers, or takes too long.",
    "UNREADABLE_ANSWER": _BROKEN,
    "BUDGET_WAIT": "The rate limit of this key is used up by something else.",
    "NO_KEY": "The workspace has no key.",
    c.RATE_LIMIT_EXCEEDED: "TokPortal says that this key asks too often: something else uses it too.",
    c.INSUFFICIENT_SCOPE: "The key may not read: give it the scope “read” or “*”.",
    c.AUTH_REVOKED_KEY: "The key was revoked.",
    c.AUTH_INVALID_KEY: "TokPortal does not know the key.",
    c.AUTH_MISSING_KEY: "TokPortal got no key.",
    "NOT_STORABLE": "An answer of TokPortal's could not be stored; whoever runs TokDash finds it in the log.",
    "LEASE_LOST": "Another worker took over.",
    "INTERRUPTED": "The worker was stopped in the middle.",
}


def sentence_of(code: str) -> str:
    """What a code means, for people; a code that we do not know is TokPortal's own error."""
    if not code:
        return ""
    return SENTENCES.get(code, f"TokPortal reports an error of its own ({code}).")
