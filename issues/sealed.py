"""Secrets at rest: encrypted with keys that are not in the database, and bound to their row.

Keys come from `TOKDASH_FIELD_KEYS`: `name:fernet-key`, separated by commas, the first one encrypts. The plaintext
carries the row's identity, so a ciphertext that is copied to another row does not open there. A wrong or missing key
raises; it never yields the ciphertext.
"""

import base64
import hashlib
import json
from functools import lru_cache
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import models


class SealError(Exception):
    """A sealed value cannot be opened: wrong key, or moved from another row."""


class Secret:
    """A secret that does not show itself: only `reveal()` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits by which people compare keys; from it the key cannot be found."""
        return hashlib.sha256(b"tokdash-fingerprint:" + self._value.encode()).hexdigest()[:12]

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")


@lru_cache(maxsize=4)
def _keys(text: str) -> tuple[str, MultiFernet]:
    names, fernets = [], []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        name, _, key = entry.rpartition(":")
        try:
            fernets.append(Fernet(key.encode("ascii")))
            if len(base64.urlsafe_b64decode(key)) != 32:
                raise ValueError
        except ValueError as error:
            raise ImproperlyConfigured(f"TOKDASH_FIELD_KEYS: entry {number} is not a Fernet key") from error
        names.append(name or f"key{number}")
    if not fernets:
        raise ImproperlyConfigured("TOKDASH_FIELD_KEYS is empty: `python -m tokdash.secrets` prints a key")
    return names[0], MultiFernet(fernets)


def first_key() -> str:
    """The name of the key that encrypts."""
    return _keys(settings.TOKDASH_FIELD_KEYS)[0]


def seal(value: str, context: str) -> str:
    """Encrypt `value` for the place named by `context`."""
    name, fernet = _keys(settings.TOKDASH_FIELD_KEYS)
    token = fernet.encrypt(json.dumps([context, value]).encode())
    return f"{name}${token.decode('ascii')}"


def unseal(text: str, context: str) -> Secret:
    """Open what `seal` made for the same place. Raises SealError."""
    _, fernet = _keys(settings.TOKDASH_FIELD_KEYS)
    try:
        found_context, value = json.loads(fernet.decrypt(text.rpartition("$")[2].encode("ascii")))
    except (InvalidToken, ValueError) as error:
        raise SealError("A stored secret cannot be opened with TOKDASH_FIELD_KEYS.") from error
    if found_context != context:
        raise SealError("A stored secret belongs to another row.")
    return Secret(value)


class SealedText(str):
    """Ciphertext as it lies in the database."""

    __slots__ = ()


class _Descriptor:
    """Seals on assignment, opens on reading: plaintext is never an attribute of the instance."""

    def __init__(self, field: "SealedTextField") -> None:
        self.field = field

    def _context(self, instance: models.Model) -> str:
        return f"{instance._meta.label_lower}.{self.field.attname}:{instance.pk}"

    def __get__(self, instance: models.Model | None, owner: type[models.Model]) -> Any:
        if instance is None:
            return self
        stored = instance.__dict__.get(self.field.attname)
        return unseal(stored, self._context(instance)) if stored else None

    def __set__(self, instance: models.Model, value: object) -> None:
        if isinstance(value, Secret):
            value = value.reveal()
        if isinstance(value, str) and value and not isinstance(value, SealedText):
            value = SealedText(seal(value, self._context(instance)))
        instance.__dict__[self.field.attname] = value or ""


class SealedTextField(models.TextField):  # type: ignore[type-arg]
    """A text column that holds a sealed secret. Reads as `Secret` or `None`; takes a `str` or a `Secret`.

    The row's primary key must be known before a value is assigned (UUID keys are).
    """

    def contribute_to_class(self, cls: type[models.Model], name: str, private_only: bool = False) -> None:
        super().contribute_to_class(cls, name, private_only)
        setattr(cls, self.attname, _Descriptor(self))

    def from_db_value(self, value: str | None, *args: object) -> str:
        return SealedText(value or "")

    def pre_save(self, model_instance: models.Model, add: bool) -> str:
        return str(model_instance.__dict__.get(self.attname) or "")

    def value_to_string(self, obj: models.Model) -> str:
        return self.pre_save(obj, add=False)
