"""Sign-in pages: where a redirect ends says who asks for an account."""

import re

from issues.link_checks.answer import Answer

_GOOGLE = ("accounts.google.com", "accounts.youtube.com")
_MICROSOFT = (
    "login.microsoftonline.com", "login.microsoftonline.us", "login.partner.microsoftonline.cn", "login.live.com",
    "login.microsoft.com", "login.windows.net", "account.live.com", "b2clogin.com", "ciamlogin.com",
)  # fmt: skip
# Services whose only purpose is to sign somebody in, and the sign-in hosts of services that people keep files in.
_OTHERS = (
    "okta.com", "oktapreview.com", "okta-emea.com", "auth0.com", "onelogin.com", "pingidentity.com", "pingone.com",
    "pingone.eu", "duosecurity.com", "cloudflareaccess.com", "amazoncognito.com", "jumpcloud.com", "rippling.com",
    "workos.com", "authkit.app", "clerk.accounts.dev", "kinde.com", "frontegg.com",
    "signin.aws.amazon.com", "awsapps.com", "auth.services.adobe.com", "adobelogin.com", "account.box.com",
    "idmsa.apple.com", "id.atlassian.com", "auth.monday.com", "login.salesforce.com", "accounts.frame.io",
    "login.yahoo.com", "id.heroku.com", "account.canva.com",
)  # fmt: skip
_PATH = re.compile(
    r"(?i)/(?:log-?in|sign-?in|log_in|sign_in|sso|saml2?|oauth2?|openid-connect|auth/(?:login|signin|realms)|wp-login\.php"
    r"|users/sign_in|accounts/login|account/login|-/login|session/new|adfs/ls|authorize|_forms/default\.aspx|challenge/login)(?:[/?.]|$)"
)


def sign_in_host(answer: Answer, first_host: str) -> str:
    """The verdict's code if a host answered whose purpose is to sign people in, else an empty string."""
    host = answer.target.host
    if _on(host, _GOOGLE):
        return "drive_no_access" if _on(first_host, ("google.com", "googleusercontent.com")) else "login_page"
    if _on(host, _MICROSOFT) or "/adfs/ls" in answer.target.path.lower():
        return "sharepoint_login"
    return "login_page" if _on(host, _OTHERS) else ""


def leads_to_sign_in(answer: Answer, first_host: str) -> bool:
    """Whether redirects ended at an address that looks like a sign-in page. Only a page there proves it."""
    if len(answer.hops) < 2:
        return False
    host = answer.target.host
    has_name = bool(re.match(r"(?:adfs|sts|sso|idp|login|auth|signin)\d?\.", host)) and host != first_host
    return has_name or bool(_PATH.search(answer.target.path))


def asks_for_password(text: str) -> bool:
    """Whether a page is a log-in form: it has a field for a password, and the page is about that."""
    return bool(re.search(r"(?i)<input[^>]{0,300}type\s*=\s*[\"']?password", text))


def _on(host: str, names: tuple[str, ...]) -> bool:
    return any(host == name or host.endswith(f".{name}") for name in names)
