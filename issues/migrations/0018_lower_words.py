"""The words of issues are kept in lower case; some thousands at a time."""

from django.db import migrations
from django.db.models import F
from django.db.models.functions import Lower

BATCH = 5000


def lower(apps, schema_editor):
    issues = apps.get_model("issues", "Issue").objects
    last = issues.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, BATCH):
        some = issues.filter(pk__gte=begin, pk__lt=begin + BATCH)
        some.exclude(words=Lower("words")).update(words=Lower(F("words")))


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0017_words_of_a_team")]

    operations = [migrations.RunPython(lower, migrations.RunPython.noop)]
