"""Key material: what is made can be used, and what is no key is refused."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import pkcs12

from instances import keys

KNOWN = (
    "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQDx8nkQv/zgGgB4rMYmIf+6A4l6Rr+o/6lHBQdW5aYd44bd8JttDCE/F/pNRr0lRE+PiqSPO8nD"
    "PHw0010JeMH9gYgnnFlyY3/OcJ02RhIPyyxYpv9FhY+2YiUkpwFOcLImyrxEsYXpD/0d3ac30bNH6Sw9JD9UZHYcpSxsIbECHw=="
    " Generated-by-Nova"
)


def test_a_made_ssh_key_is_one_line_whose_halves_belong_together() -> None:
    made = keys.make("ssh", "u1")
    private = serialization.load_pem_private_key(made.private_key.encode(), None)
    line = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert made.public_key.startswith(line.decode())
    assert made.private_key.startswith("-----BEGIN RSA PRIVATE KEY-----")
    assert made.fingerprint == keys.ssh_fingerprint(made.public_key)


def test_a_made_certificate_comes_with_its_key() -> None:
    made = keys.make("x509", "a-user")
    key, certificate, _ = pkcs12.load_key_and_certificates(base64.b64decode(made.private_key), b"")
    assert key is not None and certificate is not None
    assert made.fingerprint == keys.x509_fingerprint(made.public_key)
    assert len(made.fingerprint.split(":")) == 20


def test_the_fingerprint_is_the_one_nova_prints() -> None:
    assert keys.ssh_fingerprint(KNOWN) == "1e:2c:9b:56:79:4b:45:77:f9:ca:7a:98:2c:b0:d5:3c"


def test_ed25519_keys_can_be_imported() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert keys.fingerprint("ssh", line).count(":") == 15


@pytest.mark.parametrize(
    "text",
    ["", "ssh-rsa", "ssh-rsa " + "A" * 2048 + " openstack@ubuntu", "not a key", KNOWN + "\n" + KNOWN, "\x00", "é é"],
)
def test_what_is_no_ssh_key_is_refused(text: str) -> None:
    with pytest.raises(keys.KeyInvalid):
        keys.fingerprint("ssh", text)


@pytest.mark.parametrize("text", ["", "x", KNOWN, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"])
def test_what_is_no_certificate_is_refused(text: str) -> None:
    with pytest.raises(keys.KeyInvalid):
        keys.fingerprint("x509", text)
