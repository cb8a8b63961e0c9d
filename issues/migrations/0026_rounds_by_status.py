"""A round may list only some statuses; null lists everything, as all rounds did before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0025_failing_hosts")]

    operations = [migrations.AddField("syncrun", "statuses", models.JSONField(blank=True, null=True))]
