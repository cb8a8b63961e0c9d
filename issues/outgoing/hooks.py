"""The endpoints of a team's own systems: added, changed, tried, replayed, removed."""

import secrets
import uuid
from collections.abc import Sequence

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.audit.chain import moment_text
from issues.enums import DeliveryState
from issues.link_checks.masking import shown_url
from issues.link_checks.resolver import current_network
from issues.models import AuditHead, Hook, HookDelivery, OutgoingCursor, Team
from issues.nudge import nudge
from issues.outgoing.payloads import TYPES, test_body
from issues.problems import Refusal

MAX_HOOKS = 10


def add_hook(*, team: Team, name: str, url: str, types: Sequence[str], actor: Actor) -> tuple[Hook, str]:
    """A new endpoint, told of what happens from now on; returns it with its signing secret, which is not shown again.

    Raises Refusal for an address that is none or that is not public, a name that is taken, or too many endpoints.
    """
    name, url, types = _checked(name, url, types)
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    try:
        with transaction.atomic():
            Team.objects.select_for_update(no_key=True).get(pk=team.pk)
            if Hook.objects.filter(team=team).count() >= MAX_HOOKS:
                raise Refusal(_("A team has at most {count} endpoints.").format(count=MAX_HOOKS), code="TOO_MANY_HOOKS")
            head = AuditHead.objects.get(team=team)
            OutgoingCursor.objects.get_or_create(team=team, defaults={"seq": head.seq})
            hook = Hook.objects.create(team=team, name=name, url=url, secret=secret, types=types, created_by=actor.user)
            changes: Changes = {"url": [None, shown_url(url)], "types": [None, types], "secret": [None, "set"]}
            record(team.pk, actor, [Event(Verb.HOOK_ADDED, label=name, changes=changes)])
    except IntegrityError as error:
        raise Refusal(_("There is already an endpoint named “{name}”.").format(name=name), code="NAME_TAKEN") from error
    return hook, secret


def _checked(name: str, url: str, types: Sequence[str]) -> tuple[str, str, list[str]]:
    name, url = " ".join(name.split())[:80], url.strip()
    if not name:
        raise Refusal(_("An endpoint needs a name."), code="NAME_MISSING")
    if not url.lower().startswith("https://") or len(url) > 500:
        raise Refusal(_("Give an address that starts with https://."), code="HOOK_URL")
    try:
        current_network().parse(url)
    except ValueError as error:
        raise Refusal(_("This address cannot be reached from the internet."), code="HOOK_URL") from error
    chosen = [name for name in TYPES if name in types]
    if not chosen:
        raise Refusal(_("Choose at least one kind of event."), code="HOOK_TYPES")
    return name, url, chosen


def change_hook(*, hook: Hook, name: str, url: str, types: Sequence[str], is_active: bool, actor: Actor) -> None:
    """Name, address, kinds of events, and whether it is told at all. Idempotent. Raises Refusal like `add_hook`."""
    name, url, types = _checked(name, url, types)
    try:
        with transaction.atomic():
            current = Hook.objects.select_for_update().get(pk=hook.pk)
            changes: Changes = {}
            for field, before, after in (
                ("name", current.name, name),
                ("url", shown_url(current.url), shown_url(url)),
                ("types", current.types, types),
                ("active", current.is_active, is_active),
            ):
                if before != after:
                    changes[field] = [before, after]
            if current.url != url and "url" not in changes:
                changes["url"] = [shown_url(current.url), "changed"]
            if not changes:
                return
            current.name, current.url, current.types, current.is_active = name, url, types, is_active
            current.stopped_code = "" if is_active else current.stopped_code
            current.save(update_fields=["name", "url", "types", "is_active", "stopped_code"])
            record(current.team_id, actor, [Event(Verb.HOOK_CHANGED, label=name, changes=changes)])
    except IntegrityError as error:
        raise Refusal(_("There is already an endpoint named “{name}”.").format(name=name), code="NAME_TAKEN") from error


def change_secret(*, hook: Hook, actor: Actor) -> str:
    """A new signing secret, at once; returns it. What waits is signed with it."""
    secret = f"whsec_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        current = Hook.objects.select_for_update().get(pk=hook.pk)
        current.secret = secret
        current.save(update_fields=["secret"])
        changes: Changes = {"secret": ["set", "changed"]}
        record(current.team_id, actor, [Event(Verb.HOOK_CHANGED, label=current.name, changes=changes)])
    return secret


def remove_hook(*, hook: Hook, actor: Actor) -> None:
    """Let go of an endpoint and its log. Idempotent."""
    with transaction.atomic():
        current = Hook.objects.select_for_update().filter(pk=hook.pk).first()
        if current is None:
            return
        team_id, name = current.team_id, current.name
        current.delete()
        record(team_id, actor, [Event(Verb.HOOK_REMOVED, label=name)])


def send_test(*, hook: Hook, actor: Actor) -> HookDelivery:
    """Queue a `webhook.test` event for it."""
    event_id = f"evt_test_{uuid.uuid4().hex}"
    now = timezone.now()
    with transaction.atomic():
        delivery = HookDelivery.objects.create(
            hook=hook,
            event_id=event_id,
            event_type="webhook.test",
            body=test_body(hook.team.slug, event_id, moment_text(now)),
            next_try_at=now,
        )
        record(hook.team_id, actor, [Event(Verb.HOOK_TRIED, label=hook.name)])
    nudge("issues.deliver_hooks")
    return delivery


def replay(*, delivery: HookDelivery, actor: Actor) -> None:
    """Deliver it once more, the same body under the same event id. Idempotent while it waits."""
    with transaction.atomic():
        current = HookDelivery.objects.select_for_update(of=("self",)).select_related("hook").get(pk=delivery.pk)
        if current.state == DeliveryState.WAITING:
            return
        current.state, current.tries, current.next_try_at = DeliveryState.WAITING, 0, timezone.now()
        current.finished_at = None
        current.save(update_fields=["state", "tries", "next_try_at", "finished_at"])
        changes: Changes = {"event": [None, current.event_id]}
        record(current.hook.team_id, actor, [Event(Verb.HOOK_REPLAYED, label=current.hook.name, changes=changes)])
    nudge("issues.deliver_hooks")
