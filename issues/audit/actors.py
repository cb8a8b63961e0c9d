"""Who does something, and from where."""

import uuid
from dataclasses import dataclass, field

from issues.enums import Origin
from issues.models import User


def new_request_id() -> str:
    return uuid.uuid4().hex


@dataclass(frozen=True, slots=True)
class Actor:
    """A person on a page or at a command, or the system itself. The name is frozen into the history."""

    name: str
    origin: Origin
    user: User | None = None
    request_id: str = field(default_factory=new_request_id)

    @classmethod
    def person(cls, user: User, origin: Origin, request_id: str = "") -> "Actor":
        return cls(
            name=f"{user.get_full_name()} <{user.email}>"[:160],
            origin=origin,
            user=user,
            request_id=request_id or new_request_id(),
        )

    @classmethod
    def system(cls, origin: Origin = Origin.TASK) -> "Actor":
        return cls(name="TokDash", origin=origin)
