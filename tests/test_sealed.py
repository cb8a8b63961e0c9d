"""Secrets at rest, and secrets in logs."""

import logging

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

from issues.logs import ScrubFilter, scrub
from issues.models import Workspace
from issues.sandbox.server import FULL_KEY
from issues.sealed import SealError, Secret, seal, unseal


def column(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {name} FROM issues_workspace")
        return cursor.fetchone()[0]


def test_keys_are_encrypted_in_the_database_and_open_again(workspace):
    assert FULL_KEY not in column("read_key")
    assert Workspace.objects.get().read_key.reveal() == FULL_KEY
    assert Workspace.objects.get().write_key is None


def test_saving_other_fields_keeps_the_key(workspace):
    row = Workspace.objects.get()
    row.name = "Other"
    row.save()

    assert Workspace.objects.get().read_key.reveal() == FULL_KEY


def test_a_ciphertext_does_not_open_in_another_row(workspace):
    moved = Workspace(team=workspace.team, name="Copy", base_url="https://x.example")
    moved.__dict__["read_key"] = column("read_key")

    with pytest.raises(SealError, match="another row"):
        _ = moved.read_key


def test_a_wrong_key_is_a_loud_stop(workspace, settings):
    settings.TOKDASH_FIELD_KEYS = f"k2:{Fernet.generate_key().decode()}"

    with pytest.raises(SealError):
        _ = Workspace.objects.get().read_key


def test_keys_rotate(settings):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    settings.TOKDASH_FIELD_KEYS = f"old:{old}"
    sealed = seal("geheim", "x")
    settings.TOKDASH_FIELD_KEYS = f"new:{new},old:{old}"

    assert unseal(sealed, "x").reveal() == "geheim"
    assert seal("y", "x").startswith("new$")


@pytest.mark.parametrize("keys", ["", "k1:short", "k1:" + "ä" * 44])
def test_unusable_keys_are_said_so(settings, keys):
    settings.TOKDASH_FIELD_KEYS = keys

    with pytest.raises(ImproperlyConfigured, match="TOKDASH_FIELD_KEYS"):
        seal("x", "y")


def test_a_secret_does_not_show_itself():
    secret = Secret("sk_canary")

    assert "canary" not in f"{secret} {secret!r} {[secret]}"
    with pytest.raises(TypeError):
        __import__("pickle").dumps(secret)
    assert len(secret.fingerprint) == 12


@pytest.mark.parametrize(
    "text",
    [
        "key sk_canary0123456789",
        "https://a.example/x?X-Amz-Signature=canary123",
        "X-API-Key: canary123",
        "{'rlkey': 'canary123'}",
        "Cookie: canary123",
        "hm=canary123&x=1",
    ],
)
def test_logs_are_scrubbed(text):
    assert "canary" not in scrub(text)


def test_tracebacks_are_scrubbed():
    try:
        raise ValueError("token=canary123")
    except ValueError:
        import sys

        record = logging.LogRecord("x", logging.ERROR, "f", 1, "failed: %s", ("sk_canary12345678",), sys.exc_info())

    ScrubFilter().filter(record)

    assert "canary" not in logging.Formatter().format(record)
