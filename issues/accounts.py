"""How allauth treats accounts here: who may come in, what is encrypted, and what is written into the history.

allauth tells what happened by signals; each becomes an event in the history of every team of the person.
"""

from typing import Any

from allauth.account import signals as account
from allauth.account.adapter import DefaultAccountAdapter, get_adapter
from allauth.mfa import signals as mfa
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.socialaccount import signals as sign_on
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.usersessions.adapter import DefaultUserSessionsAdapter
from django.contrib.auth.signals import user_logged_out, user_login_failed
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import override

from issues.audit import Actor, Changes, Personal, Verb
from issues.enums import InvitationState, Origin, PersonalKind
from issues.members import record_for
from issues.models import Invitation, User
from issues.sealed import seal, unseal


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Nobody signs up by himself: people come by invitation."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False


class SignOnAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Single sign-on lets in who has an account with the same verified address, or an invitation to it."""

    def is_open_for_signup(self, request: HttpRequest, sociallogin: Any) -> bool:
        verified = [address.email for address in sociallogin.email_addresses if address.verified]
        pending = Invitation.objects.filter(state=InvitationState.PENDING, expires_at__gt=timezone.now())
        return any(pending.filter(email__iexact=email).exists() for email in verified)

    def populate_user(self, request: HttpRequest, sociallogin: Any, data: dict[str, Any]) -> User:
        user: User = super().populate_user(request, sociallogin, data)
        names = [str(data.get(part) or "") for part in ("first_name", "last_name")]
        user.name = (data.get("name") or " ".join(filter(None, names)))[:120]
        return user


class SecondFactorAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Secrets of second factors are sealed like every other secret."""

    CONTEXT = "second factor"

    def get_totp_issuer(self) -> str:
        return "TokDash"

    def encrypt(self, text: str) -> str:
        return seal(text, self.CONTEXT)

    def decrypt(self, encrypted_text: str) -> str:
        return unseal(encrypted_text, self.CONTEXT).reveal()


class SessionsAdapter(DefaultUserSessionsAdapter):  # type: ignore[misc]
    """Ending sessions is written down."""

    def end_sessions(self, sessions: Any) -> None:
        listed = list(sessions)
        super().end_sessions(listed)
        if listed:
            user = listed[0].user
            record_for(user, Actor.person(user, Origin.PAGE), Verb.SESSION_ENDED, {"sessions": [len(listed), 0]})


# --- What happened to an account -----------------------------------------------------------------------------


def _note(verb: Verb, request: HttpRequest | None, user: Any, changes: Changes | None = None) -> None:
    if not isinstance(user, User):
        return
    actor = Actor.person(user, Origin.PAGE, getattr(request, "request_id", ""))
    record_for(user, actor, verb, {**(changes or {}), **_place(request, user)})


def _place(request: HttpRequest | None, user: User) -> Changes:
    """From where, as far as the request tells: it belongs to the person, and can be erased."""
    if request is None:
        return {}
    browser = request.headers.get("User-Agent", "")[:200]
    place = f"{get_adapter().get_client_ip(request) or 'unknown address'} · {browser}"
    return {"place": [None, Personal(place, user.pk, PersonalKind.PLACE)]}


def _logged_in(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    _note(Verb.LOGGED_IN, request, user)


def _logged_out(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    _note(Verb.LOGGED_OUT, request, user)


def _login_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any) -> None:
    """Known addresses only: for others there is no team to tell."""
    given = str(credentials.get("email") or credentials.get("login") or credentials.get("username") or "")
    _note(Verb.LOGIN_FAILED, request, User.objects.filter(email__iexact=given).first() if given else None)


def _code_failed(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    _note(Verb.LOGIN_FAILED, request, user, {"factor": [None, "second factor"]})


def _password_changed(request: HttpRequest, user: Any, **kwargs: Any) -> None:
    _note(Verb.PASSWORD_CHANGED, request, user, {"password": ["set", "changed"]})


def _email_changed(
    request: HttpRequest, user: Any, from_email_address: Any, to_email_address: Any, **kwargs: Any
) -> None:
    before = Personal(from_email_address.email, user.pk, PersonalKind.MAIL) if from_email_address else None
    after = Personal(to_email_address.email, user.pk, PersonalKind.MAIL)
    _note(Verb.EMAIL_CHANGED, request, user, {"email": [before, after]})


def _kind_of(authenticator: Any) -> str:
    """In English, like everything in the record; the page translates it."""
    with override("en"):
        return str(authenticator.get_type_display())


def _factor_added(request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    codes = authenticator.type == "recovery_codes"
    verb = Verb.RECOVERY_CODES_MADE if codes else Verb.TWO_FACTOR_ADDED
    _note(verb, request, user, {"factor": [None, _kind_of(authenticator)]})


def _factor_removed(request: HttpRequest, user: Any, authenticator: Any, **kwargs: Any) -> None:
    name = _kind_of(authenticator)
    _note(Verb.TWO_FACTOR_REMOVED, request, user, {"factor": [name, f"{name} removed"]})


def _sign_on_added(request: HttpRequest, sociallogin: Any, **kwargs: Any) -> None:
    _note(Verb.SIGN_ON_CONNECTED, request, sociallogin.user)


def _sign_on_removed(request: HttpRequest, socialaccount: Any, **kwargs: Any) -> None:
    _note(Verb.SIGN_ON_REMOVED, request, socialaccount.user)


def listen() -> None:
    """Connect what allauth and Django tell with the history; once, when the application is ready."""
    account.user_logged_in.connect(_logged_in, dispatch_uid="history")
    user_logged_out.connect(_logged_out, dispatch_uid="history")
    user_login_failed.connect(_login_failed, dispatch_uid="history")
    for changed in (account.password_set, account.password_changed, account.password_reset):
        changed.connect(_password_changed, dispatch_uid="history")
    account.email_changed.connect(_email_changed, dispatch_uid="history")
    mfa.authentication_failed.connect(_code_failed, dispatch_uid="history")
    for added in (mfa.authenticator_added, mfa.authenticator_reset):
        added.connect(_factor_added, dispatch_uid="history")
    mfa.authenticator_removed.connect(_factor_removed, dispatch_uid="history")
    sign_on.social_account_added.connect(_sign_on_added, dispatch_uid="history")
    sign_on.social_account_removed.connect(_sign_on_removed, dispatch_uid="history")
