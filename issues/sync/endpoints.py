"""Our endpoint at TokPortal: registered with one click, its secret changed, tried out, removed."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.models import WebhookEndpoint, WebhookEvent, Workspace
from issues.problems import Refusal
from issues.sealed import Secret
from issues.sync.connection import open_client
from issues.sync.event_types import wanted_types
from issues.sync.troubles import sentence_of
from issues.sync.workspaces import key_problem
from issues.tokportal.budget import Lane
from issues.tokportal.client import TokPortalClient
from issues.tokportal.errors import ForbiddenError, InvalidRequestError, KeyRefusedError, TokPortalError
from issues.tokportal.transport import is_secure_or_local

# A delivery that was signed before the secret was changed may still be on its way, or be repeated.
FORMER_SECRET_STAYS = timedelta(hours=24)
ANSWER_SECONDS = 15.0
# TokPortal may answer before its test event is here.
TEST_WAITS, TEST_WAIT_SECONDS = 10, 0.3
DESCRIPTION = "TokDash: looks at a bundle as soon as something happens there"


def endpoint_url(workspace: Workspace) -> str:
    """Where TokPortal is to deliver."""
    return str(settings.SITE_URL) + reverse("tokportal_webhook", args=[workspace.pk])


_Ask = Callable[[Callable[[TokPortalClient], Any]], Any]


@contextmanager
def _asking(workspace: Workspace) -> Iterator[_Ask]:
    """A client of the key that may write; what TokPortal refuses becomes a plain sentence."""
    with open_client(workspace, Lane.INTERACTIVE, for_fixing=True, total=ANSWER_SECONDS) as client:

        def ask(call: Callable[[TokPortalClient], Any]) -> Any:
            try:
                return call(client)
            except TokPortalError as error:
                raise Refusal(_problem(error), code=error.code) from error

        yield ask


def _problem(error: TokPortalError) -> str:
    if isinstance(error, ForbiddenError):
        return _("The key may not manage webhooks: it needs the scope “write” or “*”.")
    if isinstance(error, KeyRefusedError):
        return key_problem(error)
    if isinstance(error, InvalidRequestError):
        return _(
            "TokPortal does not accept this address ({code}): it must be reachable from the internet by HTTPS."
        ).format(code=error.code)
    return _("TokPortal did not do it. {why}").format(why=sentence_of(error.code))


def register_endpoint(*, workspace: Workspace, actor: Actor) -> WebhookEndpoint:
    """Register our endpoint at TokPortal, or give it a new secret where it is registered already.

    Endpoints for the same address that we hold no secret of (an earlier try whose answer was lost) are deleted.
    Raises Refusal.
    """
    url = endpoint_url(workspace)
    if not is_secure_or_local(url):
        raise Refusal(
            _("TokPortal delivers to https:// addresses only: set TOKDASH_SITE_URL to the address of this site."),
            code="SITE_URL_INSECURE",
        )
    former = WebhookEndpoint.objects.filter(workspace=workspace).first()
    with _asking(workspace) as ask:
        leftovers = [
            found.id
            for found in ask(lambda client: client.list_webhooks())
            if found.url == url and (former is None or found.id != former.tokportal_id)
        ]
        types = wanted_types(_catalogue(workspace))
        made = ask(lambda client: client.create_webhook(url=url, events=types, description=DESCRIPTION))
        if not made.signing_secret:
            ask(lambda client: client.delete_webhook(made.id))
            raise Refusal(_("TokPortal told no signing secret, so nothing was registered."), code="NO_SECRET")
        endpoint = _save_endpoint(workspace, former, made.id, url, Secret(made.signing_secret), types, actor)
        for webhook_id in [*leftovers, *([former.tokportal_id] if former else [])]:
            ask(partial(TokPortalClient.delete_webhook, webhook_id=webhook_id))
    return endpoint


def _catalogue(workspace: Workspace) -> dict[str, bool] | None:
    """The types that TokPortal knows; `None` if it does not say; then we ask for those of the contract."""
    try:
        with open_client(workspace, Lane.INTERACTIVE, for_fixing=True, total=ANSWER_SECONDS) as client:
            return client.list_event_types()
    except TokPortalError:
        return None


def _save_endpoint(
    workspace: Workspace,
    former: WebhookEndpoint | None,
    tokportal_id: str,
    url: str,
    secret: Secret,
    types: list[str],
    actor: Actor,
) -> WebhookEndpoint:
    now = timezone.now()
    with transaction.atomic():
        endpoint = WebhookEndpoint(
            workspace=workspace,
            tokportal_id=tokportal_id,
            url=url,
            registered_at=now,
            events=types,
            catalogue_at=now,
            deliveries_at=now,
        )
        endpoint.secret = secret
        if former is not None:
            endpoint.former_secret, endpoint.former_until = former.secret, now + FORMER_SECRET_STAYS
            WebhookEndpoint.objects.filter(pk=workspace.pk).delete()
        endpoint.save(force_insert=True)
        changes: Changes = {
            "url": [former.url if former else None, url],
            "secret": ["set" if former else None, "changed" if former else "set"],
        }
        verb = Verb.WEBHOOK_ROTATED if former else Verb.WEBHOOK_REGISTERED
        record(workspace.team_id, actor, [Event.about_workspace(verb, workspace, changes)])
    return endpoint


def remove_endpoint(*, workspace: Workspace, actor: Actor) -> None:
    """Delete our endpoint at TokPortal and forget its secret. Raises Refusal."""
    endpoint = WebhookEndpoint.objects.filter(workspace=workspace).first()
    if endpoint is None:
        return
    with _asking(workspace) as ask:
        ask(lambda client: client.delete_webhook(endpoint.tokportal_id))
    with transaction.atomic():
        if WebhookEndpoint.objects.filter(pk=workspace.pk).delete()[0]:
            changes: Changes = {"url": [endpoint.url, None], "secret": ["set", None]}
            record(workspace.team_id, actor, [Event.about_workspace(Verb.WEBHOOK_REMOVED, workspace, changes)])


def try_endpoint(*, workspace: Workspace) -> bool:
    """Let TokPortal send a test event; whether it has arrived. Raises Refusal."""
    endpoint = WebhookEndpoint.objects.filter(workspace=workspace).first()
    if endpoint is None:
        raise Refusal(_("The endpoint is not registered."), code="NOT_REGISTERED")
    began = timezone.now()
    with _asking(workspace) as ask:
        ask(lambda client: client.test_webhook(endpoint.tokportal_id))
    arrived = WebhookEvent.objects.filter(workspace=workspace, event_type="webhook.test", received_at__gte=began)
    for _try in range(TEST_WAITS):
        if arrived.exists():
            return True
        time.sleep(TEST_WAIT_SECONDS)
    return False
