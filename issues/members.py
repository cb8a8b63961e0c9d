"""Teams and their people."""

from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from django.db import IntegrityError, transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from issues.audit import Actor, Changes, Event, Personal, Verb, record
from issues.audit.checkpoints import first_checkpoint
from issues.enums import UNRESOLVED, Role
from issues.models import AuditHead, Issue, Membership, Mention, Team, User
from issues.notify.channels import first_channel
from issues.problems import Refusal


def _free_slug(name: str) -> str:
    base = slugify(name)[:50] or "team"
    slug, number = base, 2
    while Team.objects.filter(slug=slug).exists():
        slug, number = f"{base}-{number}", number + 1
    return slug


def create_team(*, name: str, owner: User, actor: Actor) -> Team:
    """A new team with its first owner. Raises Refusal where the name is taken."""
    name = name.strip()
    if not name:
        raise Refusal(_("A team needs a name."), code="NAME_MISSING")
    if Team.objects.filter(name__iexact=name).exists():
        raise Refusal(_("There is already a team named “{name}”.").format(name=name), code="NAME_TAKEN")
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name[:120], slug=_free_slug(name))
            AuditHead.objects.create(team=team)
            first_channel(Membership.objects.create(team=team, user=owner, role=Role.OWNER))
            record(
                team.pk,
                actor,
                [
                    Event(Verb.TEAM_CREATED, label=team.name),
                    Event(Verb.MEMBER_ADDED, label=Personal.of(owner), changes={"role": [None, Role.OWNER.value]}),
                ],
            )
            first_checkpoint(team.pk)
    except IntegrityError as error:
        raise Refusal(_("There is already a team named “{name}”.").format(name=name), code="NAME_TAKEN") from error
    return team


def get_or_create_user(*, email: str, name: str = "", password: str | None = None) -> tuple[User, bool]:
    """The user with this address, made where there is none yet. An existing one keeps name and password."""
    email = email.strip().lower()
    found = User.objects.filter(email__iexact=email).first()
    if found:
        return found, False
    with transaction.atomic():
        user = User.objects.create_user(email, password, name=name.strip()[:120])
        # Whoever makes the account vouches for the address: an operator, or the link that was mailed to it.
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    return user, True


def add_member(*, team: Team, user: User, role: Role, actor: Actor) -> Membership:
    """Put a user into a team. Raises Refusal where he is in it already."""
    try:
        with transaction.atomic():
            membership = Membership.objects.create(team=team, user=user, role=role)
            first_channel(membership)
            changes = {"role": [None, role.value]}
            record(team.pk, actor, [Event(Verb.MEMBER_ADDED, label=Personal.of(user), changes=changes)])
    except IntegrityError as error:
        raise Refusal(_("{email} is already in this team.").format(email=user.email), code="ALREADY_MEMBER") from error
    return membership


def lock_people(team_id: int) -> None:
    """One change of a team's people at a time: always the team's row first, so that two never wait for each other.

    Without the key: history that is written meanwhile refers to the row and must not wait for it.
    """
    Team.objects.select_for_update(no_key=True).get(pk=team_id)


def _keep_an_owner(leaving: Membership) -> None:
    """Refuse to lose the last owner. The team's people are locked."""
    owners = Membership.objects.filter(team=leaving.team_id, role=Role.OWNER).count()
    if leaving.is_owner and owners <= 1:
        raise Refusal(_("A team needs an owner: make somebody else one first."), code="LAST_OWNER")


def _free_issues(leaving: Membership) -> Changes:
    """What was his to repair is nobody's: it must not wait for somebody who cannot. Part of the caller's event."""
    count = Issue.objects.filter(team=leaving.team_id, assignee=leaving.user_id, state__in=UNRESOLVED).update(
        assignee=None
    )
    Mention.objects.filter(issue__team=leaving.team_id, user=leaving.user_id).delete()
    return {"issues_assigned": [count, 0]} if count else {}


def change_role(*, membership: Membership, role: Role, actor: Actor) -> None:
    """Give a member another role. Idempotent."""
    with transaction.atomic():
        lock_people(membership.team_id)
        current = Membership.objects.select_related("user").filter(pk=membership.pk).first()
        if current is None or current.role == role:
            return
        if role != Role.OWNER:
            _keep_an_owner(current)
        changes: Changes = {"role": [current.role, role.value]}
        current.role = role
        current.save(update_fields=["role"])
        if not current.can_edit:
            changes |= _free_issues(current)
        event = Event(Verb.MEMBER_ROLE_CHANGED, label=Personal.of(current.user), changes=changes)
        record(current.team_id, actor, [event])


def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Take a member out of the team, with immediate effect. The history keeps his name."""
    with transaction.atomic():
        lock_people(membership.team_id)
        current = Membership.objects.select_related("user").filter(pk=membership.pk).first()
        if current is None:
            return
        _keep_an_owner(current)
        changes: Changes = {"role": [current.role, None], **_free_issues(current)}
        event = Event(Verb.MEMBER_REMOVED, label=Personal.of(current.user), changes=changes)
        team_id = current.team_id
        current.delete()
        record(team_id, actor, [event])


def hand_over(*, owner: Membership, to: Membership, actor: Actor) -> None:
    """Make another member the owner in one's own place; the former owner stays as an editor. Idempotent."""
    with transaction.atomic():
        lock_people(owner.team_id)
        people = {row.pk: row for row in Membership.objects.select_related("user").filter(pk__in=[owner.pk, to.pk])}
        giver, taker = people.get(owner.pk), people.get(to.pk)
        if giver is None or taker is None or giver.pk == taker.pk or giver.team_id != taker.team_id:
            raise Refusal(_("Choose another member of the team."), code="NOT_A_MEMBER")
        if not giver.is_owner:
            return
        events = [
            Event(
                Verb.TEAM_OWNER_CHANGED,
                Personal.of(taker.user),
                {"owner": [Personal.of(giver.user), Personal.of(taker.user)]},
            ),
            Event(Verb.MEMBER_ROLE_CHANGED, Personal.of(giver.user), {"role": [giver.role, Role.EDITOR.value]}),
        ]
        if not taker.is_owner:
            changes = {"role": [taker.role, Role.OWNER.value]}
            events.append(Event(Verb.MEMBER_ROLE_CHANGED, Personal.of(taker.user), changes))
        giver.role, taker.role = Role.EDITOR, Role.OWNER
        Membership.objects.bulk_update([giver, taker], ["role"])
        record(giver.team_id, actor, events)


def change_rules(
    *,
    team: Team,
    name: str,
    requires_two_factor: bool,
    history_days: int | None,
    keeps_dates: bool | None,
    actor: Actor,
) -> None:
    """The team's name, whether everybody needs a second factor, how long history is kept, and whether fixes keep the
    planned dates by default (`None`: as before). Idempotent."""
    name = name.strip()
    try:
        with transaction.atomic():
            current = Team.objects.select_for_update(no_key=True).get(pk=team.pk)
            events = []
            if name and name != current.name:
                if Team.objects.filter(name__iexact=name).exclude(pk=team.pk).exists():
                    raise Refusal(_("There is already a team named “{name}”.").format(name=name), code="NAME_TAKEN")
                events.append(Event(Verb.TEAM_RENAMED, name, {"name": [current.name, name]}))
                current.name = name
            changes: Changes = {}
            if requires_two_factor != current.requires_two_factor:
                if requires_two_factor and not (actor.user and is_mfa_enabled(actor.user)):
                    raise Refusal(_("Set up a second factor for yourself first."), code="NO_SECOND_FACTOR")
                changes["requires_two_factor"] = [current.requires_two_factor, requires_two_factor]
            if history_days != current.history_days:
                changes["history_days"] = [current.history_days, history_days]
            if keeps_dates is not None and keeps_dates != current.keeps_dates:
                changes["keeps_dates"] = [current.keeps_dates, keeps_dates]
                current.keeps_dates = keeps_dates
            current.requires_two_factor, current.history_days = requires_two_factor, history_days
            current.save(update_fields=["name", "requires_two_factor", "history_days", "keeps_dates"])
            if changes:
                events.append(Event(Verb.TEAM_RULES_CHANGED, current.name, changes))
            record(team.pk, actor, events)
    except IntegrityError as error:
        raise Refusal(_("There is already a team named “{name}”.").format(name=name), code="NAME_TAKEN") from error


def change_profile(*, user: User, name: str, time_zone: str, language: str, actor: Actor) -> None:
    """A person's own name, time zone and language. Each of his teams sees that it changed, and the former name."""
    with transaction.atomic():
        current = User.objects.select_for_update().get(pk=user.pk)
        changes: Changes = {}
        if name != current.name:
            changes["name"] = [Personal(current.name, user.pk), Personal(name, user.pk)]
        if time_zone != current.time_zone:
            changes["time_zone"] = [current.time_zone, time_zone]
        if language != current.language:
            changes["language"] = [current.language, language]
        if not changes:
            return
        current.name, current.time_zone, current.language = name, time_zone, language
        current.save(update_fields=["name", "time_zone", "language"])
        record_for(current, actor, Verb.PROFILE_CHANGED, changes)


def record_for(user: User, actor: Actor, verb: Verb, changes: Changes | None = None) -> None:
    """Write an event about a person's account into the history of each of his teams."""
    for team_id in Membership.objects.filter(user=user).order_by("team_id").values_list("team_id", flat=True):
        with transaction.atomic():
            record(team_id, actor, [Event(verb, Personal.of(user), changes or {})])
