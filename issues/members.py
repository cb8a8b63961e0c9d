"""Teams and their people."""

from django.db import IntegrityError, transaction
from django.utils.text import slugify

from issues.audit import Actor, Event, Personal, Verb, record
from issues.audit.checkpoints import first_checkpoint
from issues.enums import Role
from issues.models import AuditHead, Membership, Team, User
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
        raise Refusal("A team needs a name.", code="NAME_MISSING")
    if Team.objects.filter(name__iexact=name).exists():
        raise Refusal(f"There is already a team named “{name}”.", code="NAME_TAKEN")
    try:
        with transaction.atomic():
            team = Team.objects.create(name=name[:120], slug=_free_slug(name))
            AuditHead.objects.create(team=team)
            Membership.objects.create(team=team, user=owner, role=Role.OWNER)
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
        raise Refusal(f"There is already a team named “{name}”.", code="NAME_TAKEN") from error
    return team


def get_or_create_user(*, email: str, name: str = "", password: str | None = None) -> tuple[User, bool]:
    """The user with this address, made where there is none yet. An existing one keeps name and password."""
    email = email.strip().lower()
    found = User.objects.filter(email__iexact=email).first()
    if found:
        return found, False
    return User.objects.create_user(email, password, name=name.strip()[:120]), True


def add_member(*, team: Team, user: User, role: Role, actor: Actor) -> Membership:
    """Put a user into a team. Raises Refusal where he is in it already."""
    try:
        with transaction.atomic():
            membership = Membership.objects.create(team=team, user=user, role=role)
            changes = {"role": [None, role.value]}
            record(team.pk, actor, [Event(Verb.MEMBER_ADDED, label=Personal.of(user), changes=changes)])
    except IntegrityError as error:
        raise Refusal(f"{user.email} is already in this team.", code="ALREADY_MEMBER") from error
    return membership


def _lock_people(team_id: int) -> None:
    """One change of a team's people at a time: always the team's row first, so that two never wait for each other.

    Without the key: history that is written meanwhile refers to the row and must not wait for it.
    """
    Team.objects.select_for_update(no_key=True).get(pk=team_id)


def _keep_an_owner(leaving: Membership) -> None:
    """Refuse to lose the last owner. The team's people are locked."""
    owners = Membership.objects.filter(team=leaving.team_id, role=Role.OWNER).count()
    if leaving.is_owner and owners <= 1:
        raise Refusal("A team needs an owner: make somebody else one first.", code="LAST_OWNER")


def change_role(*, membership: Membership, role: Role, actor: Actor) -> None:
    """Give a member another role. Idempotent."""
    with transaction.atomic():
        _lock_people(membership.team_id)
        current = Membership.objects.select_related("user").filter(pk=membership.pk).first()
        if current is None or current.role == role:
            return
        if role != Role.OWNER:
            _keep_an_owner(current)
        changes = {"role": [current.role, role.value]}
        current.role = role
        current.save(update_fields=["role"])
        event = Event(Verb.MEMBER_ROLE_CHANGED, label=Personal.of(current.user), changes=changes)
        record(current.team_id, actor, [event])


def remove_member(*, membership: Membership, actor: Actor) -> None:
    """Take a member out of the team, with immediate effect. The history keeps his name."""
    with transaction.atomic():
        _lock_people(membership.team_id)
        current = Membership.objects.select_related("user").filter(pk=membership.pk).first()
        if current is None:
            return
        _keep_an_owner(current)
        changes = {"role": [current.role, None]}
        event = Event(Verb.MEMBER_REMOVED, label=Personal.of(current.user), changes=changes)
        team_id = current.team_id
        current.delete()
        record(team_id, actor, [event])
