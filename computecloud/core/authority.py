"""The cloud's own certificate authority: EC keys and certificates in one folder, made once, private to its owner.

It vouches for the cloud's servers (by name and address) and for its agents (by the UUIDs of their hosts). An agent's
certificate names no machine, so that no agent can pass for the conductor or the broker.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS, SERVER_DAYS, AGENT_DAYS = 3650, 825, 90
RENEW_SERVER_DAYS, RENEW_AGENT_DAYS = 120, 30  # renewed when less is left
BACKDATED = timedelta(hours=1)  # a clock that is somewhat behind still accepts a fresh certificate
LARGEST_REQUEST = 8192
BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


class BadRequest(Exception):
    """What was sent is no certificate request that can be signed."""


# --- files


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write(path, pem, 0o600)


def _write(path: Path, data: bytes, mode: int) -> None:
    """In one move: a reader, or a crash, sees the old file or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


def write_certificate(path: Path, pem: str) -> None:
    _write(path, pem.encode(), 0o644)


def ensure_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """The private key in a file of mode 0600; made when it is not there."""
    if not path.exists():
        _write_key(path, ec.generate_private_key(ec.SECP256R1()))
    return load_key(path)


def load_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Raises OSError, BadRequest."""
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise BadRequest(f"{path} holds another kind of key than ours")
    return key


# --- looking at certificates


def fingerprint(pem: str | bytes) -> str:
    """SHA-256 of a certificate, in hexadecimal digits: what people compare."""
    data = pem.encode() if isinstance(pem, str) else pem
    return x509.load_pem_x509_certificate(data).fingerprint(hashes.SHA256()).hex()


def key_fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of a public key."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def days_left(path: Path) -> float:
    """Until the certificate in a file expires; negative when it has."""
    found = x509.load_pem_x509_certificate(path.read_bytes())
    return (found.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=1)


# --- an agent's side


def request(key: ec.EllipticCurvePrivateKey) -> str:
    """A certificate request. It proves that we have the key; what the certificate says is decided by who signs it."""
    empty = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return empty.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def key_of_request(pem: str) -> ec.EllipticCurvePublicKey:
    """The public key of a request that was signed with it. Raises BadRequest."""
    if len(pem) > LARGEST_REQUEST:
        raise BadRequest("the certificate request is too long")
    try:
        found = x509.load_pem_x509_csr(pem.encode())
        key, signed = found.public_key(), found.is_signature_valid
    except (ValueError, TypeError, InvalidSignature) as problem:
        raise BadRequest("this is no certificate request") from problem
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise BadRequest("a certificate request needs a key on the curve P-256")
    if not signed:
        raise BadRequest("the certificate request is not signed with its own key")
    return key


# --- the authority's side


class Authority:
    """``folder`` holds ``ca.key`` (0600), ``ca.crt``, and the servers' ``server.key`` and ``server.crt``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def certificate_file(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def server_certificate_file(self) -> Path:
        return self.folder / "server.crt"

    @property
    def server_key_file(self) -> Path:
        return self.folder / "server.key"

    @property
    def pem(self) -> str:
        """The authority's own certificate."""
        return self.certificate_file.read_text()

    @property
    def fingerprint(self) -> str:
        return fingerprint(self.pem)

    def ensure(self) -> None:
        """Key and certificate are there; existing ones never change."""
        key = ensure_key(self.folder / "ca.key")
        if self.certificate_file.exists():
            return
        # A number in the name tells the authorities of several clouds apart.
        name = _name(f"computecloud {key_fingerprint(key.public_key())[:12]}")
        found = (
            _builder(name, name, key.public_key(), CA_DAYS)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        _write(self.certificate_file, found.public_bytes(serialization.Encoding.PEM), 0o644)

    def ensure_server(self, names: Sequence[str]) -> bool:
        """The servers' certificate holds exactly these names and addresses and lasts. Returns whether it was made."""
        key = ensure_key(self.server_key_file)
        path, wanted = self.server_certificate_file, _general_names(names)
        if path.exists() and self._serves(path, wanted, key.public_key()):
            return False
        uses = [ExtendedKeyUsageOID.SERVER_AUTH]
        write_certificate(path, self._sign(key.public_key(), _name("computecloud"), wanted, SERVER_DAYS, uses))
        return True

    def _serves(self, path: Path, wanted: Sequence[x509.GeneralName], key: ec.EllipticCurvePublicKey) -> bool:
        found = x509.load_pem_x509_certificate(path.read_bytes())
        there = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        issued_by_us = found.issuer == x509.load_pem_x509_certificate(self.pem.encode()).subject
        same = list(there) == list(wanted) and found.public_key() == key
        return same and issued_by_us and days_left(path) > RENEW_SERVER_DAYS

    def sign_agent(self, key: ec.EllipticCurvePublicKey, agent_id: str, host_ids: Iterable[str]) -> str:
        """A certificate for an agent: its id is the subject, the UUIDs of its hosts (the first hundred) are names."""
        names = _general_names(sorted(host_ids)[:100])
        return self._sign(key, _name(agent_id), names, AGENT_DAYS, BOTH_SIDES)

    def _sign(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: x509.Name,
        names: Sequence[x509.GeneralName],
        days: int,
        uses: Iterable[x509.ObjectIdentifier],
    ) -> str:
        own_key = load_key(self.folder / "ca.key")
        own = x509.load_pem_x509_certificate(self.pem.encode())
        builder = (
            _builder(subject, own.subject, key, days)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(uses), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(own_key.public_key()), critical=False)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
        )
        return builder.sign(own_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general_names(names: Sequence[str]) -> list[x509.GeneralName]:
    """Addresses as addresses, everything else as DNS names; each once, in the order given."""
    found: list[x509.GeneralName] = []
    for name in dict.fromkeys(names):
        try:
            found.append(x509.IPAddress(ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return x509.CertificateBuilder(
        subject_name=subject,
        issuer_name=issuer,
        public_key=key,
        serial_number=x509.random_serial_number(),
        not_valid_before=now - BACKDATED,
        not_valid_after=now + timedelta(days=days),
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
