"""Issues repeat what the queue filters and searches by. The old version goes on writing without the new columns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0013_languages")]

    operations = [
        migrations.AddField("issue", "country", models.CharField(blank=True, db_default="", default="", max_length=64)),
        migrations.AddField(
            "issue", "platform", models.CharField(blank=True, db_default="", default="", max_length=64)
        ),
        migrations.AddField("issue", "words", models.TextField(blank=True, db_default="", default="")),
    ]
