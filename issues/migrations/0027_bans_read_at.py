"""When the bans of a workspace were last read."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0026_rounds_by_status")]

    operations = [migrations.AddField("workspace", "bans_at", models.DateTimeField(blank=True, null=True))]
