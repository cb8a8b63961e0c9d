"""Connect a workspace, check and change its keys, pause it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from functools import partial

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Verb, record
from issues.enums import WorkspaceState
from issues.models import Bundle, Team, Video, Workspace
from issues.models.workspaces import MAX_AGE_MINUTES, MIN_AGE_MINUTES
from issues.nudge import nudge
from issues.problems import Refusal
from issues.sealed import Secret
from issues.sync.connection import client_for_key
from issues.sync.key_expiry import FIELDS as EXPIRY_FIELDS
from issues.sync.key_expiry import clean_expiry, put_expiry
from issues.tokportal.addresses import canonical_base_url, host_of_limit
from issues.tokportal.budget import Lane
from issues.tokportal.errors import (
    ForbiddenError,
    KeyRefusedError,
    NotSentError,
    RateLimitedError,
    TokPortalError,
    UnreadableAnswerError,
)
from issues.tokportal.payloads import AccountPayload
from issues.tokportal.storage_paths import storage_prefix
from issues.tokportal.transport import is_secure_or_local


def learn_storage_prefix(workspace: Workspace, *, public_url: str, storage_path: str) -> None:
    """Remember where TokPortal's images can be opened, as an image upload has just shown it.

    Carousels whose images could not be opened before are checked soon.
    """
    prefix = storage_prefix(public_url, storage_path)
    if not prefix or prefix == workspace.storage_prefix:
        return
    workspace.storage_prefix = prefix
    Workspace.objects.filter(pk=workspace.pk).update(storage_prefix=prefix)
    unseen = Video.objects.filter(bundle__workspace=workspace, link_verdict="tokportal_file", link_due_at__isnull=False)
    unseen.update(link_due_at=timezone.now())


def clean_key(text: str) -> Secret:
    """A key as TokPortal accepts them: any printable ASCII without spaces. Raises Refusal."""
    text = text.strip()
    if not text:
        raise Refusal(_("Paste the TokPortal API key."), code="KEY_MISSING")
    if len(text) > 512 or not all(33 <= ord(character) <= 126 for character in text):
        raise Refusal(_("A TokPortal key has no spaces or special characters: copy it again."), code="KEY_MALFORMED")
    return Secret(text)


def clean_base_url(text: str) -> str:
    """A base URL in its one form. Raises Refusal for one that may not carry a key."""
    url = canonical_base_url(text)
    if not is_secure_or_local(url):
        raise Refusal(_("The base URL must begin with https://."), code="BASE_URL_INSECURE")
    return url


def check_key(base_url: str, key: Secret) -> AccountPayload:
    """Ask `GET /me`. Raises Refusal with a sentence that says what is wrong."""
    try:
        with client_for_key(base_url, key, Lane.INTERACTIVE) as client:
            account = client.me()
            return replace(account, api=client.api_version)
    except TokPortalError as error:
        raise Refusal(key_problem(error), code=error.code) from error


def key_problem(error: TokPortalError) -> str:
    """A failed check of a key in one plain sentence."""
    if isinstance(error, KeyRefusedError):
        return _("TokPortal refuses this key: it is unknown or was revoked. Copy it again from TokPortal's settings.")
    if isinstance(error, ForbiddenError):
        return _("TokPortal does not allow this key to read. Give it the scope “read” or “*”.")
    if isinstance(error, RateLimitedError):
        return _("TokPortal is asked too often with this key right now. Try again in a minute.")
    if isinstance(error, NotSentError):
        return _("TokPortal could not be reached. Check the base URL and the network, then try again.")
    if isinstance(error, UnreadableAnswerError):
        return _("What answers at this base URL is not TokPortal's API. Check the base URL.")
    return _("TokPortal did not answer as expected. Try again in a minute.")


def connect_workspace(
    *,
    team: Team,
    name: str,
    base_url: str,
    read_key: str,
    write_key: str = "",
    read_key_expires_on: date | None = None,
    write_key_expires_on: date | None = None,
    actor: Actor,
) -> Workspace:
    """Connect a TokPortal account: both keys are checked before anything is saved.

    Raises Refusal where the name is taken or TokPortal does not accept a key.
    """
    name, base_url, key = name.strip(), clean_base_url(base_url), clean_key(read_key)
    second = clean_key(write_key) if write_key.strip() else None
    if not name:
        raise Refusal(_("Give the workspace a name."), code="NAME_MISSING")
    if Workspace.objects.filter(team=team, name=name).exists():
        raise Refusal(_("This team has a workspace named “{name}” already.").format(name=name), code="NAME_TAKEN")
    expires = {"read_key": clean_expiry(read_key_expires_on), "write_key": clean_expiry(write_key_expires_on)}
    account = check_key(base_url, key)
    if second:
        check_key(base_url, second)
    now = timezone.now()
    try:
        with transaction.atomic():
            workspace = Workspace(
                team=team,
                name=name[:80],
                base_url=base_url,
                account_email=account.email,
                credits=account.credits,
                credits_at=now,
                api_version=account.api.version,
                api_stability=account.api.stability,
                next_sync_at=now,
            )
            _set_keys(workspace, key, second)
            until = put_expiry(workspace, "read_key", expires["read_key"])
            if second:
                until |= put_expiry(workspace, "write_key", expires["write_key"])
            workspace.save()
            changes: Changes = {
                "base_url": [None, base_url],
                "account": [None, account.email],
                "read_key": [None, "set"],
                **({"write_key": [None, "set"]} if second else {}),
                **until,
            }
            record(team.pk, actor, [Event.about_workspace(Verb.WORKSPACE_CONNECTED, workspace, changes)])
    except IntegrityError as error:
        raise Refusal(
            _("This team has a workspace named “{name}” already.").format(name=name), code="NAME_TAKEN"
        ) from error
    return workspace


def _set_keys(workspace: Workspace, read_key: Secret | None, write_key: Secret | None) -> list[str]:
    now = timezone.now()
    fields: list[str] = []
    for which, key in (("read_key", read_key), ("write_key", write_key)):
        if key is not None:
            setattr(workspace, which, key)
            setattr(workspace, f"{which}_fingerprint", key.fingerprint)
            setattr(workspace, f"{which}_set_at", now)
            fields += [which, f"{which}_fingerprint", f"{which}_set_at"]
    return fields


def rotate_key(
    *,
    workspace: Workspace,
    read_key: str = "",
    write_key: str = "",
    expires: Mapping[str, date | None] | None = None,
    actor: Actor,
) -> None:
    """Replace a key, or both; checked first. A workspace whose key was refused works again afterwards.

    `expires`: when the keys expire, by `read_key` and `write_key`. A new key without a day has none.
    """
    days = {which: clean_expiry(day) for which, day in (expires or {}).items()}
    new_read = clean_key(read_key) if read_key.strip() else None
    new_write = clean_key(write_key) if write_key.strip() else None
    if new_read is None and new_write is None:
        raise Refusal(_("Paste the new key."), code="KEY_MISSING")
    account = check_key(workspace.base_url, new_read) if new_read else None
    if new_write:
        check_key(workspace.base_url, new_write)
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        changes: Changes = {}
        for which, key in (("read_key", new_read), ("write_key", new_write)):
            if key is not None:
                changes[which] = ["set" if getattr(current, f"{which}_fingerprint") else None, "changed"]
        fields = [*_set_keys(current, new_read, new_write), *EXPIRY_FIELDS]
        for which, key in (("read_key", new_read), ("write_key", new_write)):
            if key is not None or (which in days and getattr(current, f"{which}_fingerprint")):
                changes |= put_expiry(current, which, days.get(which))
        if account:
            current.account_email, current.credits = account.email, account.credits
            current.credits_at = timezone.now()
            current.api_version, current.api_stability = account.api.version, account.api.stability
        if new_read and current.state == WorkspaceState.KEY_REFUSED:
            changes["state"] = [current.state, WorkspaceState.ACTIVE.value]
            current.state = WorkspaceState.ACTIVE
        if new_read:
            current.key_refused_code = ""
        if new_write:
            current.write_key_refused_code = ""
        current.owners_told_at = None
        current.next_sync_at = timezone.now()
        current.save(update_fields=[
            *fields, "account_email", "credits", "credits_at", "api_version", "api_stability", "state",
            "key_refused_code", "write_key_refused_code", "owners_told_at", "next_sync_at",
        ])  # fmt: skip
        record(current.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_KEY_CHANGED, current, changes)])


def change_workspace(
    *, workspace: Workspace, name: str, max_age_minutes: int, low_credits: int | None = None, actor: Actor
) -> None:
    """Rename it, set another bound for the time between two looks at a bundle, or warn at another amount of credits."""
    name = name.strip()[:80]
    if not MIN_AGE_MINUTES <= max_age_minutes <= MAX_AGE_MINUTES:
        raise Refusal(
            _("Choose an interval from {minutes} minutes to a day.").format(minutes=MIN_AGE_MINUTES),
            code="INTERVAL",
        )
    if Workspace.objects.filter(team=workspace.team_id, name=name).exclude(pk=workspace.pk).exists():
        raise Refusal(_("This team has a workspace named “{name}” already.").format(name=name), code="NAME_TAKEN")
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        changes: Changes = {}
        if name and name != current.name:
            changes["name"] = [current.name, name]
            current.name = name
        if max_age_minutes != current.max_age_minutes:
            changes["max_age_minutes"] = [current.max_age_minutes, max_age_minutes]
            current.max_age_minutes = max_age_minutes
        if low_credits is not None and low_credits != current.low_credits:
            changes["low_credits"] = [current.low_credits, low_credits]
            current.low_credits, current.low_credits_told_at = low_credits, None
        if changes:
            current.save(update_fields=["name", "max_age_minutes", "low_credits", "low_credits_told_at"])
            record(current.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_CHANGED, current, changes)])


def want_everything_now(*, workspace: Workspace, actor: Actor) -> None:
    """Look at every bundle before its turn, and at the listing. It changes nothing but the order of asking."""
    now = timezone.now()
    with transaction.atomic():
        Bundle.objects.filter(workspace=workspace, heat__isnull=False, hurry_at=None).update(hurry_at=now)
        active = Workspace.objects.filter(pk=workspace.pk, state=WorkspaceState.ACTIVE)
        active.update(next_sync_at=now, next_listing_at=now, next_full_listing_at=now)
        record(workspace.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_SWEEP_WANTED, workspace)])


def pause_workspace(*, workspace: Workspace, paused: bool, actor: Actor) -> None:
    """Stop or resume its sweeps. Fixes that were submitted already run to their end."""
    wanted = WorkspaceState.PAUSED if paused else WorkspaceState.ACTIVE
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        if current.state == wanted:
            return
        changes: Changes = {"state": [current.state, wanted.value]}
        current.state = wanted
        if not paused:
            current.next_sync_at = timezone.now()
        current.save(update_fields=["state", "next_sync_at"])
        verb = Verb.WORKSPACE_PAUSED if paused else Verb.WORKSPACE_RESUMED
        record(current.team_id, actor, [Event.about_workspace(verb, current, changes)])


def refuse_key(*, workspace: Workspace, code: str, actor: Actor) -> None:
    """TokPortal does not accept the key any more: nothing is asked with it until it was replaced. Idempotent.

    Every workspace that uses the same key stops at once. The owners are told by `issues.tasks.tell_owners`.
    """
    key = workspace.read_key
    host = host_of_limit(workspace.base_url)
    for other in Workspace.objects.filter(read_key_fingerprint=workspace.read_key_fingerprint).order_by("pk"):
        if host_of_limit(other.base_url) != host:
            continue
        if other.pk == workspace.pk or other.read_key == key:
            _refuse_key_of(other, code, actor if other.team_id == workspace.team_id else Actor.system(actor.origin))


def _refuse_key_of(workspace: Workspace, code: str, actor: Actor) -> None:
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        if current.state == WorkspaceState.KEY_REFUSED:
            return
        changes: Changes = {"state": [current.state, WorkspaceState.KEY_REFUSED.value], "code": [None, code]}
        current.state, current.key_refused_code = WorkspaceState.KEY_REFUSED, code[:80]
        current.owners_told_at = None
        current.save(update_fields=["state", "key_refused_code", "owners_told_at"])
        record(current.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_KEY_REFUSED, current, changes)])
        transaction.on_commit(partial(nudge, "issues.tell_owners"))


def refuse_write_key(*, workspace: Workspace, code: str, actor: Actor) -> None:
    """The second key, the one for fixes, is not accepted any more. What is read with the first one goes on."""
    with transaction.atomic():
        current = Workspace.objects.select_for_update().get(pk=workspace.pk)
        if current.write_key_refused_code:
            return
        current.write_key_refused_code, current.owners_told_at = code[:80], None
        current.save(update_fields=["write_key_refused_code", "owners_told_at"])
        changes: Changes = {"write_key": ["set", "refused"], "code": [None, code]}
        record(current.team_id, actor, [Event.about_workspace(Verb.WORKSPACE_KEY_REFUSED, current, changes)])
        transaction.on_commit(partial(nudge, "issues.tell_owners"))
