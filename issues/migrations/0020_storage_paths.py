"""Where TokPortal's images can be opened, and who agreed to send fewer of them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0019_bundles_by_id")]

    operations = [
        migrations.AddField("workspace", "storage_prefix", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField("fix", "fewer_than", models.PositiveIntegerField(blank=True, null=True)),
        migrations.AddField("preparedfix", "fewer_than", models.PositiveIntegerField(blank=True, null=True)),
    ]
