"""Two at once, each on a connection of its own: one wins, the other hears so. PostgreSQL runs these."""

import threading

import pytest
from django.db import connection

from issues.audit import Actor
from issues.audit.verify import verify_team
from issues.enums import Origin
from issues.fixes.claims import claim_fix
from issues.fixes.submit import FixUnderwayError, submit_links
from issues.models import Fix, Issue, Membership, Workspace
from issues.problems import Refusal
from issues.sync import claims
from tests import factories

pytestmark = pytest.mark.django_db(transaction=True)
AT_ONCE = 6


@pytest.fixture
def ground(request):
    """A team with one open issue, committed."""
    if connection.vendor == "sqlite":
        pytest.skip("SQLite in memory has one connection; PostgreSQL runs this")
    team = request.getfixturevalue("team")
    workspace = Workspace(team=team, name="W", base_url="http://127.0.0.1:9")
    workspace.read_key = "sk_x"
    workspace.save()
    factories.many_issues(workspace, 1)
    return team


def at_once(work) -> list[object]:
    """Run `work` in several threads that start together; each result, or the exception."""
    barrier = threading.Barrier(AT_ONCE)
    results: list[object] = []

    def run():
        try:
            barrier.wait()
            results.append(work())
        except Refusal as error:
            results.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_many_people_fix_the_same_issue_and_one_does(ground, bob):
    actor = Actor.person(bob, Origin.PAGE)

    results = at_once(
        lambda: submit_links(
            issue=Issue.objects.select_related("video__bundle").get(), links=["https://a.example/a.mp4"], actor=actor
        )
    )

    assert Fix.objects.count() == 1
    assert sum(isinstance(result, FixUnderwayError) for result in results) == AT_ONCE - 1
    assert verify_team(ground).ok


def test_many_workers_claim_a_fix_and_one_gets_it(ground, bob):
    issue = Issue.objects.select_related("video__bundle").get()
    fix = submit_links(issue=issue, links=["https://a.example/a.mp4"], actor=Actor.person(bob, Origin.PAGE))

    results = at_once(lambda: claim_fix(fix.pk))

    assert len([result for result in results if result is not None]) == 1
    assert Fix.objects.get().fence == 1


def test_many_workers_sweep_a_workspace_and_one_does(ground):
    workspace = Workspace.objects.get()

    results = at_once(lambda: claims.claim_workspace(workspace))

    assert sum(isinstance(result, claims.SweepRunningError) for result in results) == AT_ONCE - 1
    assert Workspace.objects.get().sync_fence == 1


def test_two_owners_cannot_both_step_down(ground, alice, bob):
    from issues import members
    from issues.enums import Role

    Membership.objects.filter(user=bob).update(role=Role.OWNER)
    owners = list(Membership.objects.filter(team=ground, role=Role.OWNER))
    turn = iter(owners * AT_ONCE)
    lock = threading.Lock()

    def step_down():
        with lock:
            membership = next(turn)
        members.change_role(membership=membership, role=Role.VIEWER, actor=factories.OPERATOR)

    at_once(step_down)

    assert Membership.objects.filter(team=ground, role=Role.OWNER).count() == 1
