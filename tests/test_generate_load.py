"""`manage.py generate_load`: exactly as much as asked for, sound to the last hash, and only where nobody works."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from issues.audit.verify import verify_team
from issues.models import AuditCheckpoint, AuditEvent, Bundle, Fix, Issue, Team, Video

SMALL = {"teams": 2, "bundles": 12, "videos": 240, "issues": 60, "events": 900, "seed": 5}


def generate(capsys, **sizes):
    call_command("generate_load", json=True, **{**SMALL, **sizes})
    return json.loads(capsys.readouterr().out)


@pytest.mark.django_db(transaction=True)  # PostgreSQL: the histories are written by several processes
def test_sizes_are_exact_and_the_record_holds(capsys, monkeypatch):
    monkeypatch.setenv("TOKDASH_PASSWORD", "a long password 1")
    said = generate(capsys)

    counts = [model.objects.count() for model in (Team, Bundle, Video, Issue, AuditEvent)]
    assert counts == [2, 12, 240, 60, 900]
    assert [said[name] for name in ("teams", "bundles", "videos", "issues", "events")] == counts
    assert all(verify_team(team).ok for team in Team.objects.all())
    assert AuditCheckpoint.objects.filter(seq=450).count() == 2

    # What the pages say of it agrees with it.
    open_issues = Issue.objects.filter(state="open")
    assert open_issues.count() == Video.objects.filter(download_issue=True).count() > 0
    assert Fix.objects.count() == Issue.objects.filter(state="fixed").count()
    client = Client()
    assert client.login(email="owner@load01.example", password="a long password 1")
    issue = Issue.objects.filter(team__slug="load-agency-01", state="fixed").first()
    for address in (
        reverse("issues", args=["load-agency-01"]), reverse("issue", args=["load-agency-01", issue.pk]),
        reverse("history", args=["load-agency-01"]), reverse("insights", args=["load-agency-01"]),
    ):  # fmt: skip
        assert client.get(address, {"state": "open"}).status_code == 200

    # New rows are numbered on.
    Bundle.objects.create(workspace=issue.workspace, tokportal_id="one-more")
    with pytest.raises(CommandError, match="There are teams already"):
        generate(capsys)


@pytest.mark.django_db(transaction=True)
def test_the_same_seed_makes_the_same_world(capsys):
    def world():
        return (
            list(Bundle.objects.order_by("pk").values_list("tokportal_id", "title", "country", "status")),
            list(Issue.objects.order_by("pk").values_list("state", "verdict", "comment", "host")),
            list(AuditEvent.objects.order_by("team__slug", "seq").values_list("verb", "label")),
        )

    generate(capsys)
    first = world()
    call_command("flush", interactive=False, verbosity=0)
    generate(capsys)
    again = world()
    call_command("flush", interactive=False, verbosity=0)
    generate(capsys, seed=6)

    assert again == first
    assert world() != first


@pytest.mark.django_db
@pytest.mark.parametrize("sizes", [{"teams": 0}, {"issues": 300}, {"videos": 1}])
def test_impossible_sizes_are_refused(capsys, sizes):
    with pytest.raises(CommandError) as refused:
        generate(capsys, **sizes)

    assert refused.value.returncode == 2
    assert not Team.objects.exists()
