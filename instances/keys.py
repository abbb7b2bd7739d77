"""Key material: making key pairs and reading public keys. Nothing is stored here, nothing is logged."""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from datetime import timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from computecloud.core.clock import utcnow
from computecloud.core.errors import Invalid

BITS = 2048
LONGEST = 16 * 1024
COMMENT = "Generated-by-computecloud"
USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


class KeyInvalid(Invalid):
    message = "Keypair data is invalid: {reason}"


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A new key pair; ``private_key`` is told once and forgotten."""

    public_key: str
    fingerprint: str
    private_key: str


def _colons(digest: bytes) -> str:
    return ":".join(f"{byte:02x}" for byte in digest)


def ssh_fingerprint(public_key: str) -> str:
    """The MD5 fingerprint (as ssh once printed it) of one line of an authorized_keys file. Raises KeyInvalid."""
    line = public_key.strip()
    if len(line) > LONGEST or len(line.splitlines()) != 1:
        raise KeyInvalid(reason="failed to generate fingerprint")
    try:
        serialization.load_ssh_public_key(line.encode())
        blob = base64.b64decode(line.split()[1])
    except (ValueError, UnsupportedAlgorithm, IndexError, binascii.Error):
        raise KeyInvalid(reason="failed to generate fingerprint") from None
    return _colons(hashlib.md5(blob, usedforsecurity=False).digest())


def x509_fingerprint(certificate: str) -> str:
    """The SHA-1 fingerprint of a PEM certificate. Raises KeyInvalid."""
    if len(certificate) > LONGEST:
        raise KeyInvalid(reason="failed to generate X509 fingerprint")
    try:
        found = x509.load_pem_x509_certificate(certificate.encode())
    except (ValueError, UnsupportedAlgorithm) as problem:
        text = f"failed to generate X509 fingerprint. Error message: {problem}"
        raise KeyInvalid(reason=text) from None
    return _colons(found.fingerprint(hashes.SHA1()))  # noqa: S303  a name for a certificate, not a protection


def fingerprint(kind: str, public_key: str) -> str:
    """Of a key of kind ``ssh`` or ``x509``. Raises KeyInvalid."""
    return x509_fingerprint(public_key) if kind == "x509" else ssh_fingerprint(public_key)


def _make_ssh() -> MadeKey:
    key = rsa.generate_private_key(65537, BITS)
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    line = f"{public.decode()} {COMMENT}"
    return MadeKey(line, ssh_fingerprint(line), private.decode())


def _der_utf8(text: str) -> bytes:
    data = text.encode()[:120]
    return bytes((0x0C, len(data))) + data


def _make_x509(user_id: str) -> MadeKey:
    """A self-signed client certificate for WinRM; the private half is base64 of a PKCS#12 file without a password."""
    key = rsa.generate_private_key(65537, BITS)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, user_id[:64])])
    principal = x509.OtherName(USER_PRINCIPAL_NAME, _der_utf8(f"{user_id}@localhost"))
    now = utcnow()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName([principal]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    bundle = pkcs12.serialize_key_and_certificates(None, key, certificate, None, serialization.NoEncryption())
    return MadeKey(pem, x509_fingerprint(pem), base64.b64encode(bundle).decode())


def make(kind: str, user_id: str) -> MadeKey:
    """A new key pair of kind ``ssh`` (RSA, 2048 bits) or ``x509`` (RSA certificate)."""
    return _make_x509(user_id) if kind == "x509" else _make_ssh()


def encrypt(public_key: str, secret: str) -> str:
    """``secret`` in base64 as the private half of an RSA key reads it, in the way clients know (PKCS#1 v1.5).

    "" for ssh keys of another kind, and for a secret that is too long.
    """
    try:
        key = serialization.load_ssh_public_key(public_key.encode())
    except (ValueError, UnsupportedAlgorithm):
        return ""
    if not isinstance(key, rsa.RSAPublicKey) or len(secret.encode()) > key.key_size // 8 - 11:
        return ""
    return base64.b64encode(key.encrypt(secret.encode(), padding.PKCS1v15())).decode()
