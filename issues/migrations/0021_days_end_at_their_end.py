"""A publish date of exactly midnight is a day: the deadlines that were taken from it move to the end of that day.

Deadlines of closed issues cannot be read from their videos again, because a fix moves those dates. But a deadline of
exactly midnight UTC came from such a date and from nothing else, so each row tells for itself.
"""

from datetime import UTC, timedelta

from django.db import migrations
from django.db.models import F
from django.db.models.functions import TruncDay

BATCH = 2000
LAST_SECOND = timedelta(days=1, seconds=-1)


def move_to_the_end(apps, schema_editor):
    for name in ("Video", "Issue"):
        rows = apps.get_model("issues", name).objects
        last = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
        for begin in range(0, last + 1, BATCH):
            some = rows.filter(pk__gte=begin, pk__lt=begin + BATCH)
            at_midnight = some.filter(deadline=TruncDay("deadline", tzinfo=UTC))
            at_midnight.update(deadline=F("deadline") + LAST_SECOND)


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0020_storage_paths")]

    operations = [migrations.RunPython(move_to_the_end, migrations.RunPython.noop)]
