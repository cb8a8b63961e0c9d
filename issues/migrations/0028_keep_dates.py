"""Fixes, plans and prepared fixes know whether the planned dates are kept. The old version writes without these columns."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issues", "0027_bans_read_at"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulkfix",
            name="keep_dates",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="fix",
            name="dates_body",
            field=models.TextField(blank=True, db_default="", default=""),
        ),
        migrations.AddField(
            model_name="fix",
            name="dates_code",
            field=models.CharField(blank=True, db_default="", default="", max_length=80),
        ),
        migrations.AddField(
            model_name="fix",
            name="dates_details",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="fix",
            name="dates_kept",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="fix",
            name="dates_tries",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="fix",
            name="keep_dates",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="preparedfix",
            name="keep_dates",
            field=models.BooleanField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="team",
            name="keeps_dates",
            field=models.BooleanField(db_default=True, default=True),
        ),
    ]
