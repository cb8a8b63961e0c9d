"""Delivered accounts, key expiry, credits and TokPortal's API version. All columns may be empty or have a default."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("issues", "0021_days_end_at_their_end")]

    operations = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("tokportal_id", models.CharField(max_length=128)),
                ("coverage_status", models.CharField(blank=True, max_length=64)),
                ("may_work", models.BooleanField(blank=True, null=True)),
                ("period_ends_at", models.DateTimeField(blank=True, null=True)),
                ("period_credits", models.FloatField(blank=True, null=True)),
                ("reactivation_credits", models.FloatField(blank=True, null=True)),
                ("coverage_at", models.DateTimeField(blank=True, null=True)),
                ("coverage_wanted_at", models.DateTimeField(blank=True, null=True)),
                ("coverage_code", models.CharField(blank=True, max_length=80)),
                ("fix_credits", models.FloatField(blank=True, null=True)),
                ("fix_credits_at", models.DateTimeField(blank=True, null=True)),
                ("ban_status", models.CharField(blank=True, max_length=64)),
                ("ban_resolution", models.CharField(blank=True, max_length=64)),
                ("ban_at", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.AddField(
            model_name="bundle",
            name="saved_account_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="catalogue_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="deliveries_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="webhookendpoint",
            name="events",
            field=models.JSONField(blank=True, db_default=[], default=list),
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="saved_account_id",
            field=models.CharField(blank=True, db_default="", default="", max_length=128),
        ),
        migrations.AddField(
            model_name="workspace",
            name="api_stability",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="workspace",
            name="api_version",
            field=models.CharField(blank=True, db_default="", default="", max_length=40),
        ),
        migrations.AddField(
            model_name="workspace",
            name="bans_since",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="workspace",
            name="credits_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="low_credits",
            field=models.PositiveIntegerField(db_default=50, default=50),
        ),
        migrations.AddField(
            model_name="workspace",
            name="low_credits_told_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="next_care_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="next_full_listing_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="read_key_expires_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="read_key_reminded_days",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="write_key_expires_on",
            field=models.DateField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="write_key_reminded_days",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AlterField(
            model_name="notice",
            name="kind",
            field=models.CharField(
                choices=[
                    ("new", "New issues"),
                    ("overdue", "Issues that become late"),
                    ("failed", "Fixes that fail"),
                    ("assigned", "Issues that are given to me"),
                    ("called", "Notes that call me"),
                    ("key_refused", "Keys that TokPortal refuses"),
                    ("key_expires", "Keys that expire soon"),
                    ("low_credits", "Few credits left"),
                    ("behind", "Checks that are behind"),
                    ("reminder", "Each morning: what is late and still open"),
                ],
                max_length=12,
            ),
        ),
        migrations.AddField(
            model_name="account",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="accounts", to="issues.workspace"
            ),
        ),
        migrations.AddIndex(
            model_name="account",
            index=models.Index(
                condition=models.Q(("coverage_wanted_at__isnull", False)),
                fields=["workspace", "coverage_wanted_at"],
                name="account_wanted",
            ),
        ),
        migrations.AddConstraint(
            model_name="account",
            constraint=models.UniqueConstraint(
                fields=("workspace", "tokportal_id"), name="account_once_in_a_workspace"
            ),
        ),
    ]
