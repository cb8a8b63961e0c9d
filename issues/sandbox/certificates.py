"""Certificates for the outside world: an authority of its own, good ones for any name, and bad ones."""

import ssl
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Certificates:
    """TLS contexts by the name that a client asks for."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tokportal-sandbox-tls-")
        self._lock = threading.Lock()
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._authority = self._sign("TokDash sandbox authority", self._key, "TokDash sandbox authority", self._key)

    def close(self) -> None:
        self._folder.cleanup()

    @property
    def authority_pem(self) -> str:
        return self._authority.public_bytes(serialization.Encoding.PEM).decode()

    def _sign(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        issuer: str,
        issuer_key: ec.EllipticCurvePrivateKey,
        *,
        dns: str = "",
        days: tuple[int, int] = (-1, 30),
    ) -> x509.Certificate:
        def named(text: str) -> x509.Name:
            return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])

        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + timedelta(days=days[0]))
            .not_valid_after(now + timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=not dns, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        )
        if dns:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(dns)]), critical=False)
        else:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        return builder.sign(issuer_key, hashes.SHA256())

    def context(self, name: str, kind: str = "good") -> ssl.SSLContext:
        """A server's context for this name; `kind`: good, expired, self_signed or wrong_name."""
        with self._lock:
            if name not in self._contexts:
                self._contexts[name] = self._make(name or "nameless.example.com", kind)
            return self._contexts[name]

    def _make(self, name: str, kind: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, issuer_key = ("TokDash sandbox authority", self._key) if kind != "self_signed" else (name, key)
        certificate = self._sign(
            name, key, issuer, issuer_key,
            dns="other.example.org" if kind == "wrong_name" else name,
            days=(-20, -2) if kind == "expired" else (-1, 30),
        )  # fmt: skip
        path = Path(self._folder.name) / f"{len(self._contexts)}.pem"
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context
