"""Bring every sealed secret under the first key of TOKDASH_FIELD_KEYS, so that the others can be taken away."""

from collections.abc import Iterator

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models, transaction

from issues.accounts import SecondFactorAdapter
from issues.sealed import SealedTextField, first_key, seal, unseal

# Where a second factor keeps secrets in its data.
FACTOR_SECRETS = ("secret", "seed")


def rotate_all() -> tuple[int, int]:
    """Seal anew what lies under another key; returns how many secrets were changed, and how many there are.

    Raises SealError at the first one that no key opens: then the keys are wrong, and what was done so far stands.
    """
    changed = total = 0
    for model, field in sealed_fields():
        for pk in list(model._default_manager.order_by("pk").values_list("pk", flat=True)):
            there, moved = _rotate(model, field, pk)
            total, changed = total + there, changed + moved
    for pk in list(Authenticator.objects.order_by("pk").values_list("pk", flat=True)):
        there, moved = _rotate_factor(pk)
        total, changed = total + there, changed + moved
    return changed, total


def sealed_fields() -> Iterator[tuple[type[models.Model], SealedTextField]]:
    """Every sealed column that there is."""
    for model in apps.get_models():
        for field in model._meta.get_fields():
            if isinstance(field, SealedTextField):
                yield model, field


def _rotate(model: type[models.Model], field: SealedTextField, pk: object) -> tuple[int, int]:
    with transaction.atomic():
        row = model._default_manager.select_for_update().get(pk=pk)
        stored = str(row.__dict__.get(field.attname) or "")
        if not stored:
            return 0, 0
        secret = getattr(row, field.attname)  # opens it: a wrong key stops here
        if stored.partition("$")[0] == first_key():
            return 1, 0
        setattr(row, field.attname, secret)
        row.save(update_fields=[field.attname])
    return 1, 1


def _rotate_factor(pk: int) -> tuple[int, int]:
    there = moved = 0
    with transaction.atomic():
        row = Authenticator.objects.select_for_update().get(pk=pk)
        for name in FACTOR_SECRETS:
            stored = row.data.get(name)
            if not isinstance(stored, str):
                continue
            secret, there = unseal(stored, SecondFactorAdapter.CONTEXT), there + 1
            if stored.partition("$")[0] != first_key():
                row.data[name], moved = seal(secret.reveal(), SecondFactorAdapter.CONTEXT), moved + 1
        if moved:
            row.save(update_fields=["data"])
    return there, moved
