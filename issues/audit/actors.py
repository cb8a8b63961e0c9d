"""Who does something, and from where."""

import uuid
from dataclasses import dataclass, field

from issues.enums import Origin, PersonalKind
from issues.models import User


def new_request_id() -> str:
    return uuid.uuid4().hex


def person_label(user: User) -> str:
    """Name and address, as the history names a person."""
    return f"{user.get_full_name()} <{user.email}>"[:160]


@dataclass(frozen=True, slots=True)
class Personal:
    """A value that belongs to a person: it goes beside the chain, where it can be erased, and as a digest into it."""

    value: str
    user_id: int | None = None
    kind: PersonalKind = PersonalKind.PERSON

    @classmethod
    def of(cls, user: User) -> "Personal":
        return cls(person_label(user), user.pk)


@dataclass(frozen=True, slots=True)
class Actor:
    """A person on a page or at a command, or the system itself. The name is frozen into the history."""

    name: str
    origin: Origin
    user: User | None = None
    request_id: str = field(default_factory=new_request_id)

    @classmethod
    def person(cls, user: User, origin: Origin, request_id: str = "") -> "Actor":
        return cls(name=person_label(user), origin=origin, user=user, request_id=request_id or new_request_id())

    @property
    def personal(self) -> Personal | None:
        """The name, where it belongs to a person: his own, or the system's acting for him."""
        if self.user is None:
            return None
        kind = PersonalKind.PERSON if self.name == person_label(self.user) else PersonalKind.BEHALF
        return Personal(self.name, self.user.pk, kind)

    @classmethod
    def system(cls, origin: Origin = Origin.TASK) -> "Actor":
        return cls(name="TokDash", origin=origin)
