"""A budget on a clock that stands until it is moved, and how many slots come at once."""

from issues.tokportal.budget import BudgetState


def burst(budget, lane, most=10_000) -> int:
    count = 0
    while count < most and budget.take(lane).granted:
        count += 1
    return count


class Clock:
    """A clock that stands until it is moved; `BudgetState` on it, with the interface of the others."""

    def __init__(self, limit: int = 120) -> None:
        self.now = 1_700_000_000.0
        self.state = BudgetState(limit)

    def __call__(self) -> float:
        return self.now

    def take(self, lane, ahead=0):
        return self.state.take(lane, self.now, ahead)

    def observe(self, **said):
        self.state.observe(now=self.now, **said)

    def fail(self):
        self.state.fail(self.now)

    def block(self, seconds):
        self.state.block(seconds, self.now)
