"""Fill what issues repeat, some thousands at a time: no statement holds many rows for long."""

from django.db import migrations

from issues.sync.described import description

BATCH = 5000


def describe(apps, schema_editor):
    issues, video = apps.get_model("issues", "Issue").objects, apps.get_model("issues", "Video")
    last = issues.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, BATCH):
        issues.filter(pk__gte=begin, pk__lt=begin + BATCH).update(**description(video))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0014_described_issues")]

    operations = [migrations.RunPython(describe, migrations.RunPython.noop)]
