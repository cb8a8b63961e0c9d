"""What members do, for locust (tests/bench/load.py starts it): queue, filters, issues, history, insights, search.

From the environment: LOAD_PLAN, a JSON file with each member's cookie, team, issues and queries; LOAD_PAUSE, seconds between two
pages ("0" or "5-15"); LOAD_ONLY, one kind of page alone.
"""

import itertools
import json
import os
import random
from pathlib import Path

from locust import FastHttpUser, between, constant, task

PLAN = json.loads(Path(os.environ["LOAD_PLAN"]).read_text())
ONLY = os.environ.get("LOAD_ONLY", "")
_low, _, _high = os.environ.get("LOAD_PAUSE", "0").partition("-")
_members = itertools.cycle(PLAN["members"])


class Member(FastHttpUser):
    """One logged-in person with a browser of his own. The quick client: its work is done on the server's processors."""

    wait_time = between(float(_low), float(_high)) if _high else constant(float(_low))

    def on_start(self) -> None:
        self.me = next(_members)
        self.headers = {"Cookie": f"{PLAN['cookie']}={self.me['session']}", "Accept-Encoding": "gzip"}
        self.chance = random.Random(self.me["session"])

    @task
    def look(self) -> None:
        kinds = [ONLY] if ONLY else list(PLAN["kinds"])
        kind = self.chance.choices(kinds, [1] if ONLY else list(PLAN["kinds"].values()))[0]
        path = self.chance.choice(self.me["paths"][kind])
        with self.client.get(
            path, name=kind, headers=self.headers, catch_response=True, allow_redirects=False
        ) as answer:
            if answer.status_code != 200:
                answer.failure(f"{answer.status_code} {path}")
