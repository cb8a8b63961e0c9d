"""Bundles are found by how their id begins."""

from django.db import migrations, models

from issues.migrations._gently import AddIndexGently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0018_lower_words")]

    operations = [
        AddIndexGently(
            "bundle", models.Index(fields=["tokportal_id"], name="bundle_by_id", opclasses=["varchar_pattern_ops"])
        )
    ]
