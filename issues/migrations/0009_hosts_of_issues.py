"""The host of each unresolved issue's first link, by which the queue tells what breaks together."""

from urllib.parse import urlsplit

from django.db import migrations


def fill(apps, schema_editor):
    issue = apps.get_model("issues", "Issue")
    rows = []
    for row in issue.objects.filter(host="").exclude(links=[]).only("pk", "links").iterator(chunk_size=2000):
        try:
            row.host = (urlsplit(str(row.links[0]).strip()).hostname or "").lower()[:255]
        except ValueError:
            continue
        rows.append(row)
        if len(rows) == 1000:
            issue.objects.bulk_update(rows, ["host"])
            rows = []
    issue.objects.bulk_update(rows, ["host"])


class Migration(migrations.Migration):
    dependencies = [("issues", "0008_queue")]
    operations = [migrations.RunPython(fill, migrations.RunPython.noop, elidable=True)]
