"""Why TokPortal blocks work on a delivered account (`MANAGED_ACCOUNT_TASK_BLOCKED`), from its `details.reason`.

TokPortal does not list its reasons, so they are recognised by their words: a ban outweighs a detached account, which
outweighs Coverage that has ended for good, and so on. A reason without a known word stays unknown: then we say so and
give no advice that may be wrong.
"""

import re
from enum import Enum


class BlockedBy(Enum):
    """What stands in the way."""

    BANNED = "banned"
    APPEAL = "appeal"
    DETACHED = "detached"
    ENDED = "ended"
    PAUSED = "paused"
    LAPSED = "lapsed"
    UNKNOWN = "unknown"


# In this order: the first that fits decides. Each word is matched from its beginning, so "ban" fits "banned".
_WORDS: tuple[tuple[BlockedBy, re.Pattern[str]], ...] = tuple(
    (blocked_by, re.compile(rf"(?<![a-z])(?:{words})"))
    for blocked_by, words in (
        (BlockedBy.APPEAL, r"appeal[_\W]*(?:pending|submitted|open|filed)|(?:pending|open)[_\W]*appeal"),
        (BlockedBy.BANNED, r"ban(?:s|ned|ning)?(?![a-z])"),
        (BlockedBy.DETACHED, r"detach|reveal|management[_\W]*ended|unmanaged|not[_\W]*managed|credential"),
        (BlockedBy.ENDED, r"ended(?![a-z])|terminat|deleted|closed|removed"),
        (BlockedBy.PAUSED, r"pause|cancel"),
        (BlockedBy.LAPSED, r"lapse|expire|unpaid|overdue|past[_\W]*due|inactive|renew|payment|no[_\W]*coverage"),
    )
)
# What a reason looks like: a word for machines. Anything else is free text of TokPortal's and is not repeated.
_REASON = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,59}")


def blocked_by(reason: object) -> BlockedBy:
    """What the reason means; unknown for none, for other types and for words that we do not know."""
    if not isinstance(reason, str):
        return BlockedBy.UNKNOWN
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason[:200]).lower()
    if re.search(r"(?<![a-z])(?:not|un|never|no)[_\W]*ban", text):
        text = re.sub(r"(?<![a-z])(?:not|un|never|no)[_\W]*ban(?:ned)?", " ", text)
    return next((found for found, words in _WORDS if words.search(text)), BlockedBy.UNKNOWN)


def shown_reason(reason: object) -> str:
    """TokPortal's own word for it, if it is one that can be shown."""
    return reason if isinstance(reason, str) and _REASON.fullmatch(reason) else ""
