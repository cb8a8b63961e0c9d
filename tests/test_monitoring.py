"""The example alerts and dashboard in docs/monitoring/ fit what `/metrics` tells."""

import json
import re
from pathlib import Path

import yaml
from django.utils import timezone

from issues.models import SyncGauge, SyncMinute

MONITORING = Path(__file__).resolve().parent.parent / "docs" / "monitoring"
NAMES = re.compile(r"\b(?:tokdash|django)_[a-z0-9_]+")


def exported_names(client):
    text = client.get("/metrics").content.decode()
    return set(re.findall(r"^# TYPE (\S+)", text, re.MULTILINE)) | set(
        re.findall(r"^(\w+?)(?:\{| )", text, re.MULTILINE)
    )


def asked_by_alerts():
    rules = [
        rule for group in yaml.safe_load((MONITORING / "alerts.yml").read_text())["groups"] for rule in group["rules"]
    ]
    return rules, [rule["expr"] for rule in rules]


def asked_by_dashboard():
    panels = json.loads((MONITORING / "grafana.json").read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_alerts_and_dashboard_ask_for_what_is_exported(client, workspace, alice):
    client.force_login(alice)
    client.get("/healthz")
    client.get("/profile/")
    SyncGauge.objects.update_or_create(
        workspace=workspace,
        defaults={
            "measured_at": timezone.now(),
            "oldest_look_at": timezone.now(),
            "expected_delay": 1,
            "best_delay": 1,
        },
    )
    SyncMinute.objects.create(workspace=workspace, minute=timezone.now())
    known = exported_names(client)

    for expression in [*asked_by_alerts()[1], *asked_by_dashboard()]:
        asked = set(NAMES.findall(expression))
        assert asked, expression
        assert asked <= known, (expression, sorted(asked - known))


def test_every_alert_says_what_it_means_and_what_to_do():
    rules, _ = asked_by_alerts()

    assert len(rules) >= 6
    assert all(
        rule["annotations"].keys() >= {"summary", "description"} and rule["labels"]["severity"] in {"page", "ticket"}
        for rule in rules
    )
