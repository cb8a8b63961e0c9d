"""Indexes that the pages' lists and counts are read by alone; built beside the running work."""

from django.db import migrations, models

from issues.migrations._gently import AddIndexGently, RemoveIndexGently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0015_describe_issues")]

    operations = [
        AddIndexGently("bundle", models.Index(fields=["workspace", "platform", "country"], name="bundle_by_place")),
        AddIndexGently("issue", models.Index(fields=["team", "state", "-closed_at", "-id"], name="issue_ended")),
        AddIndexGently("issue", models.Index(fields=["team", "-closed_at", "-id"], name="issue_latest")),
        RemoveIndexGently("issue", "issue_resolved"),
    ]
