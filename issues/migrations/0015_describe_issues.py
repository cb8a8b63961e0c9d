"""Fill what issues repeat, some thousands at a time: no statement holds many rows for long."""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery, TextField, Value
from django.db.models.functions import Cast, Coalesce, Concat

BATCH = 5000


def _spaced(parts):
    return [piece for part in parts for piece in (Value(" ", TextField()), Cast(part, TextField()))][1:]


def _description(video):
    about = video.objects.order_by().filter(pk=OuterRef("video_id"))
    names = [F("name"), F("external_ref"), F("bundle__title"), F("bundle__external_ref")]
    text = about.annotate(text=Concat(*_spaced(names))).values("text")
    return {
        "platform": Subquery(about.values("bundle__platform")),
        "country": Subquery(about.values("bundle__country")),
        "words": Concat(*_spaced([Subquery(text), Coalesce(F("comment"), Value("")), F("host")])),
    }


def describe(apps, schema_editor):
    issues, video = apps.get_model("issues", "Issue").objects, apps.get_model("issues", "Video")
    last = issues.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, BATCH):
        issues.filter(pk__gte=begin, pk__lt=begin + BATCH).update(**_description(video))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0014_described_issues")]

    operations = [migrations.RunPython(describe, migrations.RunPython.noop)]
