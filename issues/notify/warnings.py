"""Warnings to the owners: a key expires soon, credits run out. Each goes out once."""

import logging
from collections.abc import Callable
from datetime import date
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext, override

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import Role
from issues.models import Membership, Workspace
from issues.sync.key_expiry import KEYS, step_of, today
from issues.wording import credits_text

logger = logging.getLogger(__name__)


def warn_owners() -> int:
    """Remind of keys and warn of few credits; returns how many warnings went out."""
    return _remind_of_keys() + _warn_of_credits()


# --- Keys ----------------------------------------------------------------------------------------------------


def _remind_of_keys() -> int:
    soon = Q(read_key_expires_on__isnull=False) | Q(write_key_expires_on__isnull=False)
    told = 0
    for workspace in Workspace.objects.filter(soon).select_related("team"):
        for which in KEYS:
            expires_on = getattr(workspace, f"{which}_expires_on")
            step = step_of(expires_on) if expires_on and getattr(workspace, f"{which}_fingerprint") else None
            if step is not None:
                told += _remind(workspace, which, expires_on, step)
    return told


def _remind(workspace: Workspace, which: str, expires_on: date, step: int) -> int:
    """Remind once at each step; one that was missed is not made up for."""
    reminded, expires = f"{which}_reminded_days", f"{which}_expires_on"
    former = getattr(workspace, reminded)
    if former is not None and former <= step:
        return 0
    with transaction.atomic():
        waiting = Q(**{reminded: None}) | Q(**{f"{reminded}__gt": step})
        row = Workspace.objects.filter(waiting, pk=workspace.pk, **{expires: expires_on})
        if not row.update(**{reminded: step}):
            return 0
        changes: Changes = {f"{which}_expires_on": [None, expires_on.isoformat()]}
        actor = Actor.system()
        record(workspace.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_KEY_EXPIRES, workspace, changes)])
    _mail(workspace, lambda: _about_key(workspace, which, expires_on))
    return 1


def _about_key(workspace: Workspace, which: str, expires_on: date) -> tuple[str, str]:
    names = {"workspace": workspace.name, "team": workspace.team.name, "day": date_format(expires_on, "j F Y")}
    days = (expires_on - today()).days
    subject = ngettext(
        "The key of “{workspace}” expires in {days} day", "The key of “{workspace}” expires in {days} days", days
    )
    if days <= 0:
        subject = gettext("The key of “{workspace}” expires today")
    if days < 0:
        subject = gettext("The key of “{workspace}” has expired")
    what = gettext("You said that TokPortal's key of the workspace “{workspace}” ({team}) expires on {day}.")
    if which == "write_key":
        what = gettext(
            "You said that the second key, the one for fixes, of the workspace “{workspace}” ({team}) expires on {day}."
        )
    effect = gettext("After that nothing is checked there, and no fix is sent, until the key is replaced.")
    return subject.format(days=days, **names), f"{what} {effect}".format(**names)


# --- Credits -------------------------------------------------------------------------------------------------


def _warn_of_credits() -> int:
    """Those that fell below their limit since the last warning; those that were refilled can be warned again."""
    known = Workspace.objects.filter(credits__isnull=False)
    known.filter(low_credits_told_at__isnull=False, credits__gte=F("low_credits")).update(low_credits_told_at=None)
    low = known.filter(low_credits_told_at=None, credits__lt=F("low_credits"))
    return sum(_warn(workspace) for workspace in low.select_related("team"))


def _warn(workspace: Workspace) -> int:
    with transaction.atomic():
        row = Workspace.objects.filter(pk=workspace.pk, low_credits_told_at=None, credits__lt=F("low_credits"))
        if not row.update(low_credits_told_at=timezone.now()):
            return 0
        changes: Changes = {"credits": [None, workspace.credits], "low_credits": [None, workspace.low_credits]}
        actor = Actor.system()
        record(workspace.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_LOW_CREDITS, workspace, changes)])
    _mail(workspace, lambda: _about_credits(workspace))
    return 1


def _about_credits(workspace: Workspace) -> tuple[str, str]:
    names = {
        "workspace": workspace.name, "team": workspace.team.name, "credits": credits_text(workspace.credits),
        "limit": workspace.low_credits,
    }  # fmt: skip
    subject = gettext("“{workspace}” has few credits left: {credits}")
    what = gettext(
        "TokPortal's account of the workspace “{workspace}” ({team}) has {credits} left, fewer than {limit}."
    )
    effect = gettext("If Coverage of an account is due and there are too few credits, TokPortal refuses the fix.")
    return subject.format(**names), f"{what} {effect}".format(**names)


# --- Mail ----------------------------------------------------------------------------------------------------


def _mail(workspace: Workspace, said: Callable[[], tuple[str, str]]) -> None:
    """To every owner, each in their language. One that cannot be sent is logged: pages and notices say it, too."""
    owners = Membership.objects.filter(team=workspace.team, role=Role.OWNER, user__is_active=True)
    page = settings.SITE_URL + reverse("workspace_keys", args=[workspace.team.slug, workspace.pk])
    for owner in owners.select_related("user"):
        with override(owner.user.language or settings.LANGUAGE_CODE):
            subject, text = said()
            body = f"{text}\n\n" + gettext("Look at it here: {url}").format(url=page) + "\n"
        try:
            send_mail(subject, body, None, [owner.user.email])
        except (SMTPException, OSError):
            logger.warning("an owner of %s could not be warned by e-mail", workspace.pk, exc_info=True)
