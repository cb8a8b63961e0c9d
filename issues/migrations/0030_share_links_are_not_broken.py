"""Share links of Google Drive and Dropbox were called wrong by their address alone: they are opened anew.

Until that is done they are unsure, so they leave At risk at once. What was kept of such links is forgotten: it offers
direct forms that nobody has opened.
"""

from django.db import migrations
from django.utils import timezone

BATCH = 2000
CODES = ("drive_view_page", "dropbox_preview")


def _in_batches(rows):
    last = rows.order_by("-pk").values_list("pk", flat=True).first() or 0
    for begin in range(0, last + 1, BATCH):
        yield rows.filter(pk__gte=begin, pk__lt=begin + BATCH)


def judge_anew(apps, schema_editor):
    for some in _in_batches(apps.get_model("issues", "LinkCheck").objects):
        some.filter(verdict__in=CODES, verdict_class="wrong").delete()
    for some in _in_batches(apps.get_model("issues", "Issue").objects):
        some.filter(verdict__in=CODES, verdict_class="wrong", closed_at=None).update(verdict_class="unsure")
    for some in _in_batches(apps.get_model("issues", "Video").objects):
        wrong = some.filter(link_verdict__in=CODES, link_class="wrong")
        wrong.filter(link_due_at__isnull=False).update(link_due_at=timezone.now())
        wrong.update(link_class="unsure")


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0029_insisted_prepared_fixes")]

    operations = [migrations.RunPython(judge_anew, migrations.RunPython.noop)]
