"""What a store says when it refuses: the codes and messages of S3, Google Cloud, Azure, Alibaba, CDNs and the like.

A refusal has many numbers and few meanings. S3 says 400 for an expired token and 403 for an expired request,
Supabase 400 for a file that is not there, Azure 409 for one that is not public. So the words decide, codes before
messages.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from html import unescape
from typing import Any

from issues.link_checks.answer import Answer

MOST_TEXT = 4000  # characters of a message that are read


class Meaning(StrEnum):
    EXPIRED = "expired"  # the link was for a time, and that is over
    NOT_YET = "not_yet"  # it is for a time that has not begun, or the file is still being made
    GONE = "gone"  # there is no such file
    SIGNATURE = "signature"  # it does not fit the link: a part may be missing
    REVOKED = "revoked"  # the key or token behind the link is no longer accepted
    ACCESS = "access"  # outsiders are refused
    BUSY = "busy"
    TRAFFIC = "traffic"  # downloads are paused, there were too many
    ARCHIVED = "archived"  # it lies in a cold store, and must be restored first


@dataclass(slots=True)
class _Words:
    codes: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


# Codes without their case, spaces and marks. The first that fits counts.
_CODES: tuple[tuple[str, Meaning], ...] = (
    (r"expired", Meaning.EXPIRED),
    (r"notyetvalid|notvalidyet|notready|processing$|^pending$|rehydrat|stillencoding|inprogress$", Meaning.NOT_YET),
    (r"invalidobjectstate|blobarchived|archivedblob|objectarchived", Meaning.ARCHIVED),
    (r"access_?key.*(invalid|disabled|inactive|notfound|notexist)|invalidaccesskeyid|nosuchaccesskey|invalidsecuritytoken"
     r"|tokenrevoked|^invalidtoken|invalidclienttokenid|keypair.*(disabled|inactive)", Meaning.REVOKED),
    (r"^nosuch(?!host|user|account)|(?<!user)(?<!account)(?<!host)(?<!tenant)notfound$|notpresent$|doesnotexist$"
     r"|(file|object|blob|media|item)(isgone|wasdeleted|deleted|removed|gone)$", Meaning.GONE),
    (r"downloadcap|bandwidth(limit)?exceeded|quotaexceeded|transactioncap|trafficlimit|limitexceeded.*(day|daily)"
     r"|dailylimit|toomuchtraffic|generatingtoomuch", Meaning.TRAFFIC),
    (r"slowdown|serverbusy|toomanyrequests|ratelimit|requestlimit|throttl|egressisover", Meaning.BUSY),
    (r"signature(doesnotmatch|mismatch|invalid)|(invalid|bad|wrong|missing|malformed)(url)?(signature|jwt|sas|policy|hash)"
     r"|^missingkey|authenticationfailed|authorizationqueryparameters|authorizationheadermalformed|badauthtoken"
     r"|missingsecurity|malformedtoken|invalidqueryparameter|incompletesignature", Meaning.SIGNATURE),
    (r"access(is)?denied|forbidden|accessdisabled|accountisdisabled|publicaccessnotpermitted|authorization(failure|permission)"
     r"|noauthenticationinformation|permission(s)?denied|insufficientpermission|unauthori[sz]ed|notauthori[sz]ed"
     r"|loginrequired|authrequired|authenticationrequired|notpublic|isprivate", Meaning.ACCESS),
)  # fmt: skip
_TIMED = (
    r"(?:request|token|link|url|signature|policy|access|download|share|file|transfer|upload|sas|jwt|credentials?|ticket"
    r"|video|content|timestamp)"
)
_EXPIRED = re.compile(
    rf"(?i)\b{_TIMED}s?\b[^.<>]{{0,30}}\b(?:has|have|is|was|already)?\s*expired\b|\bexpired\s+{_TIMED}\b|^\s*expired\.?\s*$"
    r"|signature not valid in the specified time ?frame|\bexp\b[^.]{0,20}claim[^.]{0,40}(?:failed|past)|jwt expired"
    r"|signature expired|no longer (?:valid|active)|abgelaufen|a expiré|sont? expirée?s?|ha caducado"
    r"|ha expirado|expirou"
    r"|è scaduto|is verlopen|wygasł|истек|期限切れ|有効期限が切れ|已过期|süresi doldu"
)
_THING = r"(?:file|object|key|blob|resource|item|content|image|video|media|asset|document|attachment|page|link|entity)"
_MESSAGES: tuple[tuple[str, Meaning], ...] = (
    (r"not valid yet|not yet valid|not ready yet|still (?:being )?(?:process|encod|prepar|upload)\w*", Meaning.NOT_YET),
    (r"access key (?:id )?you provided does not exist", Meaning.REVOKED),
    # “… denied on resource (or it may not exist)”: said to outsiders of any file.
    (r"\bor (?:it |they |that it )?(?:may|might|does|do) not exist|not exist,? or (?:you|it|is|your)\b"
     r"|does not have [\w.]+ access|permission '?[\w.]*'? ?denied", Meaning.ACCESS),
    (r"too much traffic|bandwidth (?:limit|quota)|download (?:quota|limit)", Meaning.TRAFFIC),
    (r"exceeded[^.]{0,30}(?:download|bandwidth|traffic)", Meaning.TRAFFIC),
    (rf"\b{_THING}s?\b[^.<>]{{0,60}}(?:not found|not exist|n.t exist|no longer (?:available|exists?))", Meaning.GONE),
    (rf"\b{_THING}s?\b[^.<>]{{0,60}}(?:(?:was|were|been|is) (?:deleted|removed)|(?:could ?not|cannot|can.t) be found)",
     Meaning.GONE),
    (r"^\s*(?:\d{3}\W+)?not found\.?\s*$|nicht gefunden|introuvable|no encontrad[oa]|não encontrad[oa]|non trovat[oa]",
     Meaning.GONE),
    (r"signature (?:mismatch|does not match|is (?:invalid|wrong|missing)|verification failed)", Meaning.SIGNATURE),
    (r"invalid (?:url )?(?:signature|token|hash)|bad url (?:hash|timestamp)", Meaning.SIGNATURE),
)  # fmt: skip


def meaning_of(answer: Answer, *, only_codes: bool = False) -> Meaning | None:
    """What the body of a refusal says, `None` if it says nothing that we know."""
    words = _words_of(answer)
    messages = [text[:MOST_TEXT] for text in words.messages]
    if not only_codes:
        for text in messages:
            if _EXPIRED.search(text):
                return Meaning.NOT_YET if _begins_later(text) else Meaning.EXPIRED
        if any(re.search(_MESSAGES[0][0], text, re.IGNORECASE) for text in messages):
            return Meaning.NOT_YET
    for code in words.codes:
        plain = re.sub(r"[^a-z0-9]", "", code.lower())
        for pattern, meaning in _CODES:
            if re.search(pattern, plain):
                return meaning
    if only_codes:
        return None
    for pattern, meaning in _MESSAGES:
        if any(re.search(pattern, text, re.IGNORECASE) for text in messages):
            return meaning
    return None


def _begins_later(text: str) -> bool:
    """Azure names the frame: `Start [...] - Expiry [...] - Current [...]`."""
    found = dict(re.findall(r"\b(start|expiry|current)\s*\[([^\]]{1,40})\]", text.lower()))
    try:
        return parsedate_to_datetime(found["start"]) > parsedate_to_datetime(found["current"])
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return False


def _words_of(answer: Answer) -> _Words:
    words = _Words()
    for name in ("x-ms-error-code", "x-amz-error-code", "x-error-code"):
        if value := answer.header(name)[:100]:
            words.codes.append(value)
    for name in ("x-cld-error", "x-amz-error-message", "x-error", "x-error-message", "x-tengine-error"):
        if value := answer.header(name):
            words.messages.append(value)
    bearer = re.search(r'error_description="([^"]{1,300})"', answer.header("WWW-Authenticate"))
    if bearer:
        words.messages.append(bearer[1])
    text = answer.text()
    start = text.lstrip()[:1]
    if start in {"{", "["}:
        _read_json(text, words)
    elif re.match(r"(?i)\s*(?:<\?xml[^>]*>)?\s*<(?:\w+:)?(?:error|response|fault)\b", text):
        _read_xml(text, words)
    elif start == "<":
        words.messages += [answer.title(), *_headings(text)]
    elif text.strip():
        words.messages.append(text[:2000])
    return words


def _read_xml(text: str, words: _Words) -> None:
    for name, value in re.findall(r"<(?:\w+:)?(\w+)(?:\s[^>]*)?>([^<]{1,2000})</", text[:20_000]):
        lowered = name.lower()
        if lowered in {"code", "errorcode", "reason"}:
            words.codes.append(unescape(value.strip())[:100])
        elif lowered in {"message", "authenticationerrordetail", "details", "detail", "description", "title"}:
            words.messages.append(unescape(value.strip()))


def _headings(text: str) -> Iterator[str]:
    for found in re.finditer(r"(?is)<h[12][^>]*>(.{1,500}?)</h[12]>", text[:40_000]):
        yield " ".join(unescape(re.sub(r"<[^>]{0,500}>", " ", found[1])).split())


_CODE_KEYS = frozenset(
    {"error", "code", "errorcode", "reason", "status", "type", "name", "title", "statuscode", "errortype"}
)
_MESSAGE_KEYS = frozenset(
    {
        "message",
        "errormessage",
        "description",
        "errordescription",
        "detail",
        "details",
        "msg",
        "error",
        "reason",
        "title",
    }
)


def _read_json(text: str, words: _Words) -> None:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return
    left = [200]

    def walk(value: Any, depth: int) -> None:
        if depth > 5 or left[0] <= 0:
            return
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value[:20]):
            left[0] -= 1
            name = re.sub(r"[^a-z]", "", str(key)[:60].lower())
            if isinstance(inner, dict | list):
                walk(inner, depth + 1)
            elif isinstance(inner, str):
                if name in _CODE_KEYS and len(inner) <= 80 and " " not in inner.strip():
                    words.codes.append(inner)
                elif name in _MESSAGE_KEYS or isinstance(value, list):
                    words.messages.append(inner)

    if isinstance(found, dict | list):
        walk(found, 0)
