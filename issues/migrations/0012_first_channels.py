"""Members from before there were notifications hear by e-mail of what concerns them, as new members do."""

from django.db import migrations

USUAL = ["new", "overdue", "failed", "assigned", "called", "reminder"]


def add(apps, schema_editor):
    membership, channel = apps.get_model("issues", "Membership"), apps.get_model("issues", "Channel")
    cursor, head = apps.get_model("issues", "OutgoingCursor"), apps.get_model("issues", "AuditHead")
    rows = list(membership.objects.filter(channels=None).values_list("pk", "team_id"))
    known = set(cursor.objects.values_list("team_id", flat=True))
    # From the end of each history on: nobody is told of what was.
    cursor.objects.bulk_create(
        cursor(team_id=team_id, seq=seq)
        for team_id, seq in head.objects.filter(team__in={team for _, team in rows} - known).values_list(
            "team_id", "seq"
        )
    )
    channel.objects.bulk_create(
        channel(team_id=team_id, owner_id=pk, kind="email", name="E-mail", notices=USUAL, only_mine=True)
        for pk, team_id in rows
    )


class Migration(migrations.Migration):
    dependencies = [("issues", "0011_notices")]
    operations = [migrations.RunPython(add, migrations.RunPython.noop)]
