"""Blame the host that failed, not that of a carousel's first image, also in issues that were opened before."""

import hashlib
from urllib.parse import urlsplit

from django.db import migrations

BATCH = 500
SEVERITY = {"ok": 0, "unsure": 1, "expiring": 2, "blocked": 3, "wrong": 4, "dead": 5}
OWN = {"tokportal_file", "tokportal_copy_ok"}


def _host_of(link):
    try:
        return (urlsplit(link.strip()).hostname or "").lower()[:255]
    except ValueError:
        return ""


def _digest_of(link):
    return hashlib.sha256(link.strip().encode()).hexdigest()


def _failing_host(links, looks):
    """The host of the worst link by what was seen of each; of the first web link if nothing is known."""
    worst, found = -1, ""
    for link in links:
        verdict, verdict_class = looks.get(_digest_of(link), ("", "unsure"))
        severity = SEVERITY.get(verdict_class, 1)
        if verdict not in OWN and _host_of(link) and severity > worst:
            worst, found = severity, _host_of(link)
    return found


def _blame(issues, looks):
    rows = []
    for issue in issues:
        host = _failing_host([str(link) for link in issue.links], looks.get(issue.team_id, {}))
        if host != issue.host:
            others = issue.words.removesuffix(f" {issue.host}") if issue.host else issue.words.rstrip()
            issue.words = f"{others} {host}" if host else others
            issue.host = host
            rows.append(issue)
    return rows


def blame(apps, schema_editor):
    issues, looks = apps.get_model("issues", "Issue").objects, apps.get_model("issues", "LinkCheck").objects
    last = issues.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, BATCH):
        # A single link is blamed already.
        batch = [
            issue
            for issue in issues.filter(pk__gte=begin, pk__lt=begin + BATCH).only("team_id", "links", "host", "words")
            if isinstance(issue.links, list) and len(issue.links) > 1
        ]
        digests = {_digest_of(str(link)) for issue in batch for link in issue.links}
        seen = {}
        listed = sorted(digests)
        for start in range(0, len(listed), BATCH):
            found = looks.filter(digest__in=listed[start : start + BATCH])
            for team, digest, verdict, verdict_class in found.values_list(
                "team_id", "digest", "verdict", "verdict_class"
            ):
                seen.setdefault(team, {})[digest] = (verdict, verdict_class)
        issues.bulk_update(_blame(batch, seen), ["host", "words"], batch_size=BATCH)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0024_tables_as_read")]

    operations = [migrations.RunPython(blame, migrations.RunPython.noop)]
