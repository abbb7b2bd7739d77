"""The cloud's own certificate authority: what it signs, for whom, and what it refuses."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from computecloud.core import authority
from computecloud.core.authority import Authority, BadRequest


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.ensure()
    return made


def names_of(pem: str | bytes) -> list[str]:
    data = pem.encode() if isinstance(pem, str) else pem
    found = x509.load_pem_x509_certificate(data).extensions.get_extension_for_class(x509.SubjectAlternativeName)
    return [str(name.value) for name in found.value]


def test_it_is_made_once_and_its_keys_are_the_owners(own: Authority) -> None:
    before = own.fingerprint
    own.ensure()
    own.ensure_server(["127.0.0.1"])
    assert own.fingerprint == before
    keys = [own.folder / "ca.key", own.server_key_file]
    assert [stat.S_IMODE(path.stat().st_mode) for path in keys] == [0o600, 0o600]
    assert b"PRIVATE" not in own.pem.encode()


def test_the_servers_certificate_follows_their_names(own: Authority) -> None:
    assert own.ensure_server(["cloud.example.org", "192.0.2.1"])
    assert names_of(own.server_certificate_file.read_bytes()) == ["cloud.example.org", "192.0.2.1"]
    assert not own.ensure_server(["cloud.example.org", "192.0.2.1"])
    assert own.ensure_server(["cloud.example.org", "192.0.2.1", "::1"])


def test_a_servers_certificate_near_its_end_is_made_anew(own: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    own.ensure_server(["cloud"])
    monkeypatch.setattr(authority, "RENEW_SERVER_DAYS", authority.SERVER_DAYS + 1)
    assert own.ensure_server(["cloud"])


def test_an_agents_certificate_names_its_hosts_and_no_machine(own: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = own.sign_agent(authority.key_of_request(authority.request(key)), "the-agent", ["uuid-b", "uuid-a"])
    found = x509.load_pem_x509_certificate(pem.encode())
    assert found.subject.rfc4514_string() == "CN=the-agent"
    assert names_of(pem) == ["uuid-a", "uuid-b"]
    assert found.public_key() == key.public_key()
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(own.pem.encode()))
    constraints = found.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert not constraints.ca  # it cannot sign others
    own.ensure_server(["cloud"])
    servers = x509.load_pem_x509_certificate(own.server_certificate_file.read_bytes())
    uses = servers.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(uses) == [ExtendedKeyUsageOID.SERVER_AUTH]  # nobody comes in with the servers' certificate


def test_what_the_request_says_of_itself_is_not_believed(own: Authority) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "another-agent")])
    wild = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(name)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("cloud")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = own.sign_agent(
        authority.key_of_request(wild.public_bytes(serialization.Encoding.PEM).decode()), "the-agent", ["uuid-a"]
    )
    assert "another-agent" not in x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string()
    assert names_of(pem) == ["uuid-a"]


def _of_another_kind() -> str:
    key = rsa.generate_private_key(65537, 2048)
    empty = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    return empty.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def _with_another_signature() -> str:
    """The request of one key with the signature of another."""
    one, two = (authority.request(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
    first, second = (x509.load_pem_x509_csr(text.encode()) for text in (one, two))
    data = first.public_bytes(serialization.Encoding.DER)
    changed = data.replace(first.signature[-16:], second.signature[-16:])
    return x509.load_der_x509_csr(changed).public_bytes(serialization.Encoding.PEM).decode()


@pytest.mark.parametrize(
    "text", ["", "no request", "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
             "x" * 10_000, _of_another_kind(), _with_another_signature()]
)  # fmt: skip
def test_bad_requests_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        authority.key_of_request(text)


def test_the_chain_is_one_that_openssl_accepts(own: Authority) -> None:
    """Loading key and certificate together checks that they fit; the flags are those of strict verification."""
    own.ensure_server(["127.0.0.1"])
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(own.server_certificate_file, own.server_key_file)
    client = ssl.create_default_context(cafile=own.certificate_file)
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    assert _shake_hands(server, client, "127.0.0.1") == "127.0.0.1"
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _shake_hands(server, client, "192.0.2.9")


def _shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> str:
    """Both sides in memory, until the client is content."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for side in (ours, theirs, ours, theirs, ours):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return str(ours.server_hostname)
