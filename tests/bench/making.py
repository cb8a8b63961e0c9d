"""Teams and workspaces for the benchmarks."""

from typing import Any


def make_workspace(name: str, base_url: str = "http://127.0.0.1:9/api/ext", key: str = "sk_bench") -> Any:
    """A workspace whose key nobody checked, in a team of its own."""
    from django.utils import timezone

    from issues import members
    from issues.audit import Actor
    from issues.enums import Origin
    from issues.models import Workspace
    from issues.sealed import Secret

    actor = Actor(name="Benchmark", origin=Origin.COMMAND)
    owner, _ = members.get_or_create_user(email=f"{name.lower().replace(' ', '-')}@bench.example", name=name)
    team = members.create_team(name=name, owner=owner, actor=actor)
    workspace = Workspace(team=team, name=name, base_url=base_url, next_sync_at=timezone.now())
    workspace.read_key = Secret(key)
    workspace.read_key_fingerprint = Secret(key).fingerprint
    workspace.save()
    return workspace
