"""Accounts that an operator or an owner has made: their addresses count as verified, as those of new accounts do."""

from django.db import migrations


def verify(apps, schema_editor):
    user, address = apps.get_model("issues", "User"), apps.get_model("account", "EmailAddress")
    known = set(address.objects.values_list("user_id", flat=True))
    address.objects.bulk_create(
        address(user_id=pk, email=email, primary=True, verified=True)
        for pk, email in user.objects.values_list("pk", "email")
        if pk not in known
    )


class Migration(migrations.Migration):
    dependencies = [
        ("issues", "0006_guarded_evidence"),
        ("account", "0009_emailaddress_unique_primary_email"),
    ]
    operations = [migrations.RunPython(verify, migrations.RunPython.noop)]
