"""Pages that well-known hosts put in a file's place, by their build rather than their words: people see them in any
language.
"""

import re
from html import unescape
from urllib.parse import urlencode

from issues.link_checks import store_errors
from issues.link_checks.answer import Answer
from issues.link_checks.catalogue import Verdict
from issues.link_checks.sign_in import asks_for_password
from issues.link_checks.store_errors import Meaning
from issues.link_checks.walls import is_wall

_DRIVE_FORM = re.compile(r"id\s*=\s*[\"']?(?:download-form|downloadForm)|uc-warning-caption|uc-download-link")
_DRIVE_ERROR = re.compile(r"uc-error-(?:caption|subcaption)")
_QUOTA = re.compile(
    r"(?i)quota|kontingent|too many users|zu viele nutzer|trop d.utilisateurs"
    r"|demasiados usuarios|muitos usu[aá]rios|troppi utenti"
    r"|te veel gebruikers|cuota|квот|割り当て|配额"
)
_VIRUS_FOUND = re.compile(r"(?i)infected|infiziert|infect[ée]|infectado|infetto|geïnfecteerd|заражен|感染")
_NO_ACCESS = re.compile(
    r"(?i)you need access|request access|access denied|requestaccess|request-access|accessdenied|access-denied"
    r"|zugriff (?:anfordern|verweigert|erforderlich)|ben[öo]tigen[^<]{0,20} zugriff"
    r"|demander l.acc[èe]s|acc[èe]s refus[ée]"
    r"|autorisation d.acc[èe]s|necesitas acceso|solicitar acceso|acceso denegado"
    r"|precisa de acesso|solicitar acesso|acesso negado"
    r"|richiedi (?:l.)?accesso|accesso negato|toegang (?:vragen|aanvragen|geweigerd)"
    r"|popro[sś] o dost[eę]p|запросить доступ|アクセス権"
)
_SIGN_IN_TITLE = re.compile(
    r"(?i)google accounts|^sign in\b|^anmelden\b|^connexion\b|^iniciar sesi[oó]n"
    r"|^accedi\b|^fazer login"
)


def is_google(answer: Answer) -> bool:
    return f".{answer.target.host}".endswith((".google.com", ".googleusercontent.com", ".googleapis.com"))


def verdict_of_page(answer: Answer) -> Verdict | None:
    """What a page that came instead of the file means, `None` for a page that we do not know."""
    text = answer.text()
    if is_google(answer):
        found = _google_page(answer, text)
        if found:
            return found
    if is_wall(answer):
        return Verdict("bot_wall")
    if re.match(r"(?i)\s*(?:<\?xml[^>]*>)?\s*<error\b", text):
        # A store's error under the number of a success.
        meaning = store_errors.meaning_of(answer, only_codes=True)
        return _CODES_OF_PAGES.get(meaning) if meaning else None
    if asks_for_password(text):
        return Verdict("login_page")
    return None


_CODES_OF_PAGES = {
    Meaning.GONE: Verdict("file_gone"),
    Meaning.EXPIRED: Verdict("signature_expired"),
    Meaning.ACCESS: Verdict("http_refused"),
    Meaning.SIGNATURE: Verdict("signature_wrong"),
}


def _google_page(answer: Answer, text: str) -> Verdict | None:
    if _DRIVE_ERROR.search(text):
        return Verdict("drive_infected" if _VIRUS_FOUND.search(text) and not _QUOTA.search(text) else "drive_quota")
    if _DRIVE_FORM.search(text) or "virus scan warning" in text.lower():
        return Verdict("drive_virus_page", repaired=_confirmed(text))
    title = answer.title()
    if re.search(r"(?i)quota exceeded|too many users have viewed", text) or _QUOTA.search(title):
        return Verdict("drive_quota")
    if _NO_ACCESS.search(title) or _SIGN_IN_TITLE.search(title):
        return Verdict("drive_no_access")
    return Verdict("drive_no_access") if _NO_ACCESS.search(text) else None


def _confirmed(page: str) -> str:
    """The link behind Google's warning: its form, filled in."""
    form = next((found for found in re.findall(r"(?is)<form\b[^>]*>", page) if "download-form" in found), "")
    action = re.search(r"action\s*=\s*[\"']([^\"']+)", form)
    if not action or not re.match(r"https://drive(\.usercontent)?\.google\.com/", unescape(action[1])):
        return ""
    fields = []
    for found in re.findall(r"(?is)<input\b[^>]*>", page)[:30]:
        name, value = re.search(r"name\s*=\s*[\"']([\w-]+)", found), re.search(r"value\s*=\s*[\"']([^\"']*)", found)
        if name and value:
            fields.append((name[1], unescape(value[1])))
    target = unescape(action[1])
    return f"{target}{'&' if '?' in target else '?'}{urlencode(fields)}" if fields else target
