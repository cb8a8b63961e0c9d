"""The keys that sign checkpoints: Ed25519, outside the database.

`TOKDASH_SIGNING_KEYS` holds them: `name:seed` (32 bytes, base64), separated by commas; the first one signs, all of them
are believed. Where it is empty a key is derived from SECRET_KEY, so that no site is without; a fallback of Django's
(`SECRET_KEY_FALLBACKS`) is believed likewise.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key. `key_id` are the first 16 hex digits of the SHA-256 of the public key."""

    name: str
    private: Ed25519PrivateKey

    @property
    def public_hex(self) -> str:
        return self.private.public_key().public_bytes_raw().hex()

    @property
    def key_id(self) -> str:
        return hashlib.sha256(self.private.public_key().public_bytes_raw()).hexdigest()[:16]

    def sign(self, text: str) -> str:
        return self.private.sign(text.encode()).hex()

    def has_signed(self, text: str, signature: str) -> bool:
        try:
            self.private.public_key().verify(bytes.fromhex(signature), text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def signing_keys() -> tuple[SigningKey, ...]:
    """All keys that are believed; the first one signs."""
    return _keys(settings.TOKDASH_SIGNING_KEYS, (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS))


@lru_cache(maxsize=4)
def _keys(text: str, secrets: tuple[str, ...]) -> tuple[SigningKey, ...]:
    found = []
    for number, entry in enumerate(filter(None, (part.strip() for part in text.split(","))), 1):
        name, _, seed = entry.rpartition(":")
        try:
            found.append(SigningKey(name, Ed25519PrivateKey.from_private_bytes(base64.b64decode(seed, validate=True))))
        except ValueError as error:
            raise ImproperlyConfigured(f"TOKDASH_SIGNING_KEYS: entry {number} is not 32 bytes of base64") from error
    # Believed also beside keys of one's own: what was signed before there were any still holds.
    return (*found, *(SigningKey(f"derived{number}", _derived(secret)) for number, secret in enumerate(secrets, 1)))


def _derived(secret: str) -> Ed25519PrivateKey:
    seed = HKDF(hashes.SHA256(), 32, None, b"tokdash history checkpoints").derive(secret.encode())
    return Ed25519PrivateKey.from_private_bytes(seed)


def key_named(key_id: str) -> SigningKey | None:
    return next((key for key in signing_keys() if key.key_id == key_id), None)
