"""Bundles are found by the account that they were delivered on; built beside the running work."""

from django.db import migrations, models

from issues.migrations._gently import AddIndexGently


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("issues", "0022_service")]

    operations = [
        AddIndexGently(
            "bundle",
            models.Index(
                fields=["workspace", "saved_account_id"],
                name="bundle_of_account",
                condition=~models.Q(saved_account_id=""),
            ),
        )
    ]
