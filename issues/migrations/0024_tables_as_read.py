"""How a table was read, and from which of its lines each row of a plan came."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issues", "0023_bundles_of_an_account"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkfix",
            name="notes",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="bulkrow",
            name="lines",
            field=models.JSONField(db_default=[], default=list),
        ),
    ]
