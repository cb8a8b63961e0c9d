"""A refused key stops a workspace until an owner replaces it: tell the owners."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, override
from django.utils.translation import gettext_noop as _

from issues.enums import Role, WorkspaceState
from issues.models import Membership, Workspace

logger = logging.getLogger(__name__)

_REFUSED = Q(state=WorkspaceState.KEY_REFUSED) | ~Q(write_key_refused_code="")


def tell_owners_of_refused_keys() -> int:
    """One e-mail to the owners of each workspace that waits for it; returns how many workspaces they were about.

    The row is marked before the mail goes out, so two workers never send it twice; where the mail server refuses, the
    mark is taken back and the next tick tries again.
    """
    told = 0
    for workspace in Workspace.objects.filter(_REFUSED, owners_told_at=None).select_related("team"):
        mine = Workspace.objects.filter(pk=workspace.pk, owners_told_at=None)
        if not mine.update(owners_told_at=timezone.now()):
            continue
        try:
            _tell(workspace)
        except (SMTPException, OSError):
            logger.warning("the owners of %s could not be told of a refused key", workspace.pk, exc_info=True)
            Workspace.objects.filter(pk=workspace.pk).update(owners_told_at=None)
        else:
            told += 1
    return told


def _tell(workspace: Workspace) -> None:
    owners = Membership.objects.filter(team=workspace.team, role=Role.OWNER, user__is_active=True)
    page = settings.SITE_URL + reverse("workspace_keys", args=[workspace.team.slug, workspace.pk])
    if workspace.state == WorkspaceState.KEY_REFUSED:
        code = workspace.key_refused_code
        what = _("TokPortal does not accept the key of the workspace “{workspace}” ({team}) any more: {code}.")
        effect = _("Nothing is checked there, and no fix is sent, until it is replaced.")
    else:
        code = workspace.write_key_refused_code
        what = _(
            "TokPortal does not accept the second key, the one for fixes, of the workspace “{workspace}” ({team}) any "
            "more: {code}."
        )
        effect = _("Flags are still found, but no fix can be sent.")
    names = {"workspace": workspace.name, "team": workspace.team.name, "code": code, "url": page}
    for owner in owners.select_related("user"):
        with override(owner.user.language or settings.LANGUAGE_CODE):
            subject = gettext("TokPortal refuses the key of “{workspace}”").format(**names)
            parts = [gettext(what), gettext(effect), gettext("Replace it here: {url}")]
        send_mail(subject, "\n\n".join(parts).format(**names) + "\n", None, [owner.user.email])
