import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("issues", "0004_repair"),
    ]

    operations = [
        migrations.CreateModel(
            name="AuditCheckpoint",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("number", models.PositiveIntegerField()),
                ("kind", models.CharField(choices=[("seal", "Seal"), ("cut", "Cut")], max_length=5)),
                ("seq", models.BigIntegerField()),
                ("event_hash", models.CharField(max_length=64)),
                ("at", models.DateTimeField()),
                ("text", models.TextField()),
                ("key_id", models.CharField(max_length=16)),
                ("signature", models.CharField(max_length=128)),
            ],
        ),
        migrations.CreateModel(
            name="AuditWatch",
            fields=[
                (
                    "team",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="audit_watch",
                        serialize=False,
                        to="issues.team",
                    ),
                ),
                ("checked_at", models.DateTimeField(null=True)),
                ("walked_seq", models.BigIntegerField(default=0)),
                (
                    "walked_hash",
                    models.CharField(
                        default="0000000000000000000000000000000000000000000000000000000000000000", max_length=64
                    ),
                ),
                ("whole_at", models.DateTimeField(null=True)),
                ("bad_seq", models.BigIntegerField(null=True)),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("found_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                ("id", models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(
                        choices=[("owner", "Owner"), ("editor", "Editor"), ("viewer", "Viewer")], max_length=10
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("pending", "Pending"), ("accepted", "Accepted"), ("revoked", "Revoked")],
                        default="pending",
                        max_length=10,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("expires_at", models.DateTimeField()),
                ("mailed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="PersonalValue",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user_id", models.BigIntegerField(null=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("person", "Name and address"),
                            ("behalf", "For whom TokDash acts"),
                            ("mail", "E-mail address"),
                            ("place", "Network address and browser"),
                            ("note", "Note"),
                        ],
                        default="person",
                        max_length=6,
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("salt", models.CharField(blank=True, max_length=32)),
                ("value", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("erased_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.RemoveIndex(
            model_name="auditevent",
            name="event_by_time",
        ),
        migrations.RemoveField(
            model_name="auditevent",
            name="changes",
        ),
        migrations.AddField(
            model_name="auditevent",
            name="actor_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="label_digest",
            field=models.CharField(blank=True, default="", max_length=64),
        ),
        migrations.AddField(
            model_name="auditevent",
            name="words",
            field=models.TextField(blank=True, default=""),
        ),
        migrations.AddField(
            model_name="audithead",
            name="at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="team",
            name="history_days",
            field=models.PositiveIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="team",
            name="requires_two_factor",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="actor_name",
            field=models.CharField(blank=True, max_length=160),
        ),
        migrations.AlterField(
            model_name="auditevent",
            name="label",
            field=models.CharField(blank=True, max_length=700),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["team", "workspace_id", "-seq"], name="event_by_workspace"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["team", "origin", "-seq"], name="event_by_origin"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["team", "request_id", "-seq"], name="event_by_request"),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(
                condition=models.Q(("tokportal_request_id", ""), _negated=True),
                fields=["team", "tokportal_request_id", "-seq"],
                name="event_by_tokportal_request",
            ),
        ),
        migrations.AddIndex(
            model_name="auditevent",
            index=models.Index(fields=["team", "-at", "-seq"], name="event_by_time"),
        ),
        migrations.AddConstraint(
            model_name="team",
            constraint=models.CheckConstraint(
                condition=models.Q(("history_days", None), ("history_days__gte", 90), _connector="OR"),
                name="team_history_long_enough",
            ),
        ),
        migrations.AddField(
            model_name="auditcheckpoint",
            name="team",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="checkpoints", to="issues.team"
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="invited_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.SET_NULL, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="invitation",
            name="team",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="invitations", to="issues.team"
            ),
        ),
        migrations.AddField(
            model_name="personalvalue",
            name="team",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="personal_values", to="issues.team"
            ),
        ),
        migrations.AddIndex(
            model_name="auditcheckpoint",
            index=models.Index(fields=["team", "kind", "-seq"], name="checkpoint_cuts"),
        ),
        migrations.AddConstraint(
            model_name="auditcheckpoint",
            constraint=models.UniqueConstraint(fields=("team", "number"), name="checkpoint_one_for_a_number"),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.UniqueConstraint(
                models.F("team"),
                django.db.models.functions.text.Lower("email"),
                condition=models.Q(("state", "pending")),
                name="invitation_one_pending_for_an_address",
            ),
        ),
        migrations.AddConstraint(
            model_name="invitation",
            constraint=models.CheckConstraint(
                condition=models.Q(("role__in", ["owner", "editor", "viewer"])), name="invitation_role_known"
            ),
        ),
        migrations.AddIndex(
            model_name="personalvalue",
            index=models.Index(fields=["team", "user_id"], name="personal_value_by_user"),
        ),
        migrations.AddConstraint(
            model_name="personalvalue",
            constraint=models.UniqueConstraint(fields=("team", "digest"), name="personal_value_once"),
        ),
        migrations.AddConstraint(
            model_name="personalvalue",
            constraint=models.CheckConstraint(
                condition=models.Q(("erased_at", None), models.Q(("salt", ""), ("value", "")), _connector="OR"),
                name="personal_value_erased_is_empty",
            ),
        ),
    ]
