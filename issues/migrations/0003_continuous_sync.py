"""From sweep after sweep to a planner: what it goes by, what it measures, TokPortal's webhooks, the workers' pulse."""

import datetime

import django.db.models.deletion
from django.db import migrations, models

import issues.sealed


class Migration(migrations.Migration):
    dependencies = [("issues", "0002_append_only_history")]
    operations = [
        migrations.RemoveIndex("workspace", "workspace_due"),
        migrations.RenameField("workspace", "sweep_fence", "sync_fence"),
        migrations.RenameField("workspace", "sweep_lease_until", "sync_lease_until"),
        migrations.RenameField("workspace", "next_sweep_at", "next_sync_at"),
        migrations.RenameField("workspace", "sweep_minutes", "max_age_minutes"),
        migrations.RemoveField("workspace", "last_swept_at"),
        migrations.RemoveField("issue", "last_seen_at"),
        migrations.CreateModel(
            name="FlagRate",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("situation", models.CharField(max_length=60)),
                ("watched_seconds", models.FloatField(default=0)),
                ("flags", models.FloatField(default=0)),
            ],
        ),
        migrations.CreateModel(
            name="Heartbeat",
            fields=[
                ("queue", models.CharField(max_length=20, primary_key=True, serialize=False)),
                ("beat_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="SyncGauge",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="gauge",
                        serialize=False,
                        to="issues.workspace",
                    ),
                ),
                ("measured_at", models.DateTimeField()),
                ("limit_per_minute", models.PositiveIntegerField(default=0)),
                ("flaggable", models.PositiveIntegerField(default=0)),
                ("never_looked", models.PositiveIntegerField(default=0)),
                ("overdue", models.PositiveIntegerField(default=0)),
                ("silent", models.PositiveIntegerField(default=0)),
                ("oldest_look_at", models.DateTimeField(blank=True, null=True)),
                ("expected_delay", models.FloatField(blank=True, null=True)),
                ("best_delay", models.FloatField(blank=True, null=True)),
                ("last_answer_at", models.DateTimeField(blank=True, null=True)),
                ("trouble_code", models.CharField(blank=True, max_length=80)),
                ("trouble_since", models.DateTimeField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SyncMinute",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("minute", models.DateTimeField()),
                ("requests", models.PositiveIntegerField(default=0)),
                ("throttled", models.PositiveIntegerField(default=0)),
                ("errors", models.PositiveIntegerField(default=0)),
                ("looks", models.PositiveIntegerField(default=0)),
                ("videos", models.PositiveIntegerField(default=0)),
                ("opened", models.PositiveIntegerField(default=0)),
                ("closed", models.PositiveIntegerField(default=0)),
                ("gaps", models.PositiveIntegerField(default=0)),
                ("gap_seconds", models.FloatField(default=0)),
                ("expected_delay", models.FloatField(blank=True, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "workspace",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="webhook",
                        serialize=False,
                        to="issues.workspace",
                    ),
                ),
                ("tokportal_id", models.CharField(max_length=128)),
                ("url", models.URLField(max_length=300)),
                ("secret", issues.sealed.SealedTextField()),
                ("former_secret", issues.sealed.SealedTextField(blank=True)),
                ("former_until", models.DateTimeField(blank=True, null=True)),
                ("registered_at", models.DateTimeField()),
                ("last_refused_at", models.DateTimeField(blank=True, null=True)),
                ("last_refusal", models.CharField(blank=True, max_length=40)),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEvent",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("event_id", models.CharField(max_length=128)),
                ("event_type", models.CharField(max_length=64)),
                ("bundle_id", models.CharField(blank=True, max_length=128)),
                ("position", models.PositiveIntegerField(blank=True, null=True)),
                ("status", models.CharField(blank=True, max_length=64)),
                ("sent_at", models.CharField(blank=True, max_length=64)),
                ("received_at", models.DateTimeField()),
            ],
        ),
        migrations.AddField(
            model_name="bundle",
            name="answer_digest",
            field=models.CharField(blank=True, max_length=64),
        ),
        migrations.AddField(
            model_name="bundle",
            name="asked_at",
            field=models.DateTimeField(default=datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.UTC)),
        ),
        migrations.AddField(
            model_name="bundle",
            name="heat",
            field=models.SmallIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="bundle",
            name="hurry_whole",
            field=models.BooleanField(default=False),
        ),
        migrations.AddField(
            model_name="bundle",
            name="unanswered_since",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="bundle",
            name="hurry_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="bundle",
            name="mirrored_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="ratebudget",
            name="failures",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="ratebudget",
            name="fix_tat",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="ratebudget",
            name="links_tat",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="ratebudget",
            name="open_until",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="ratebudget",
            name="sync_tat",
            field=models.FloatField(default=0),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="listed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="looks",
            field=models.PositiveIntegerField(default=0),
        ),
        migrations.AddField(
            model_name="syncrun",
            name="next_page",
            field=models.PositiveIntegerField(default=1),
        ),
        migrations.AddField(
            model_name="workspace",
            name="reserved_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="next_listing_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="owners_told_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="write_key_refused_code",
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddIndex(
            model_name="bundle",
            index=models.Index(
                condition=models.Q(("heat__isnull", False)),
                fields=["workspace", "heat", "asked_at"],
                name="bundle_next",
            ),
        ),
        migrations.AddIndex(
            model_name="bundle",
            index=models.Index(
                condition=models.Q(("hurry_at__isnull", False)), fields=["workspace", "hurry_at"], name="bundle_hurried"
            ),
        ),
        migrations.AddIndex(
            model_name="workspace",
            index=models.Index(condition=models.Q(("state", "active")), fields=["next_sync_at"], name="workspace_due"),
        ),
        migrations.AddField(
            model_name="flagrate",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="flag_rates", to="issues.workspace"
            ),
        ),
        migrations.AddField(
            model_name="syncminute",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="minutes", to="issues.workspace"
            ),
        ),
        migrations.AddField(
            model_name="webhookevent",
            name="workspace",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="webhook_events", to="issues.workspace"
            ),
        ),
        migrations.AddConstraint(
            model_name="flagrate",
            constraint=models.UniqueConstraint(fields=("workspace", "situation"), name="flag_rate_once"),
        ),
        migrations.AddIndex(
            model_name="syncminute",
            index=models.Index(fields=["minute"], name="sync_minute_age"),
        ),
        migrations.AddConstraint(
            model_name="syncminute",
            constraint=models.UniqueConstraint(fields=("workspace", "minute"), name="sync_minute_once"),
        ),
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(fields=["workspace", "-received_at"], name="webhook_latest"),
        ),
        migrations.AddIndex(
            model_name="webhookevent",
            index=models.Index(fields=["received_at"], name="webhook_age"),
        ),
        migrations.AddConstraint(
            model_name="webhookevent",
            constraint=models.UniqueConstraint(fields=("workspace", "event_id"), name="webhook_event_once"),
        ),
        migrations.AddIndex(
            model_name="bundle",
            index=models.Index(
                condition=models.Q(("unanswered_since__isnull", False)), fields=["workspace"], name="bundle_silent"
            ),
        ),
        migrations.AlterField(
            model_name="bundle",
            name="workspace",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="bundles",
                to="issues.workspace",
            ),
        ),
    ]
