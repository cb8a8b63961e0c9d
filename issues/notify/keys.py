"""A refused key stops a workspace until an owner replaces it: tell the owners."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import Q
from django.urls import reverse
from django.utils import timezone

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
    addresses = list(owners.values_list("user__email", flat=True))
    page = settings.SITE_URL + reverse("workspace_keys", args=[workspace.team.slug, workspace.pk])
    if workspace.state == WorkspaceState.KEY_REFUSED:
        what, effect = "key", "Nothing is checked there, and no fix is sent, until it is replaced."
        code = workspace.key_refused_code
    else:
        what, effect = "second key, the one for fixes,", "Flags are still found, but no fix can be sent."
        code = workspace.write_key_refused_code
    for address in addresses:
        send_mail(
            f"TokPortal refuses the key of “{workspace.name}”",
            f"TokPortal does not accept the {what} of the workspace “{workspace.name}” ({workspace.team.name}) any "
            f"more: {code}.\n\n{effect}\n\nReplace it here: {page}\n",
            None,
            [address],
        )
