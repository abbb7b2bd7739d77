"""S54: who shows a bad certificate is not spoken to, be it as conductor or broker; TLS settings are real booleans."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection

from computecloud import conf as settings
from computecloud.celery import broker_tls
from computecloud.conf import Conf
from computecloud.core import authority
from computecloud.core.authority import Authority
from tasks.agent import enrolment
from tasks.agent.client import Conductor, ConductorUnreachable, TlsFiles
from tasks.agent.enrolment import EnrolmentFailed, Room
from tasks.conductor import wire


class Listener:
    """Shakes hands with whoever comes, and counts how often it was accepted: then it hangs up."""

    def __init__(self, certificate: Path, key: Path) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        self.context = context
        self.accepted = 0
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                line, _peer = self.socket.accept()
                with contextlib.suppress(OSError), line:
                    line.settimeout(5)
                    with self.context.wrap_socket(line, server_side=True) as safe:
                        # With TLS 1.3 a client refuses after our side is done: only what it then says shows trust.
                        if safe.recv(1):
                            self.accepted += 1


@pytest.fixture
def own(tmp_path: Path) -> Authority:
    made = Authority(tmp_path / "ca")
    made.ensure()
    return made


@pytest.fixture
def listen() -> Iterator[Callable[[Path, Path], Listener]]:
    made: list[Listener] = []

    def start(certificate: Path, key: Path) -> Listener:
        made.append(Listener(certificate, key))
        return made[-1]

    yield start
    for one in made:
        one.socket.close()


def _good(own: Authority, tmp_path: Path) -> tuple[Path, Path]:
    own.ensure_server(["127.0.0.1"])
    return own.server_certificate_file, own.server_key_file


def _for_another_name(own: Authority, tmp_path: Path) -> tuple[Path, Path]:
    own.ensure_server(["192.0.2.1", "cloud.example.org"])
    return own.server_certificate_file, own.server_key_file


def _of_another_authority(own: Authority, tmp_path: Path) -> tuple[Path, Path]:
    other = Authority(tmp_path / "other")
    other.ensure()
    return _good(other, tmp_path)


def _of_an_agent(own: Authority, tmp_path: Path) -> tuple[Path, Path]:
    """An enrolled host tries to pass for the cloud."""
    key = authority.ensure_key(tmp_path / "agent.key")
    pem = own.sign_agent(key.public_key(), "agent", ["5b1bde54-e4c2-4a5b-8775-3923c4878e83"])
    authority.write_certificate(tmp_path / "agent.crt", pem)
    return tmp_path / "agent.crt", tmp_path / "agent.key"


def _expired(own: Authority, tmp_path: Path) -> tuple[Path, Path]:
    key = authority.ensure_key(tmp_path / "old.key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(authority, "BACKDATED", authority.timedelta(days=3))
        pem = own._sign(key.public_key(), authority._name("old"), authority._general_names(["127.0.0.1"]), -1, _SERVERS)
    authority.write_certificate(tmp_path / "old.crt", pem)
    return tmp_path / "old.crt", tmp_path / "old.key"


_SERVERS = [authority.ExtendedKeyUsageOID.SERVER_AUTH]
REFUSED = (ConductorUnreachable, EnrolmentFailed, OSError, redis.exceptions.ConnectionError)
BAD = [_for_another_name, _of_another_authority, _of_an_agent, _expired]


def call_conductor(own: Authority, port: int) -> None:
    conductor = Conductor(f"https://127.0.0.1:{port}", "host", "secret", tls=TlsFiles(str(own.certificate_file)))
    with pytest.raises(ConductorUnreachable) as told:
        conductor.beat(wire.Beat("nonce", []))
    raise told.value


def connect(own: Authority, url: str) -> None:
    asked = Conf(role="agent", broker_url=url, ca_file=str(own.certificate_file))
    with Connection(url, ssl=broker_tls(asked), transport_options={"socket_timeout": 5}, connect_timeout=5) as line:
        line.ensure_connection(max_retries=1, interval_start=0, reraise_as_library_errors=False)


def call_redis(own: Authority, port: int) -> None:
    connect(own, f"rediss://agent:word@127.0.0.1:{port}/0")


def call_rabbitmq(own: Authority, port: int) -> None:
    connect(own, f"amqps://agent:word@127.0.0.1:{port}//")


def enrol(own: Authority, port: int) -> None:
    room = Room(own.folder.parent / "room")
    new = [wire.NewHost("box", "fake")]
    enrolment.enrol(room, f"https://127.0.0.1:{port}", "token", new, "compute@box", trust=own.certificate_file)


CALLS = [call_conductor, call_redis, call_rabbitmq, enrol]


@pytest.mark.row("S54")
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("bad", BAD)
def test_s54_a_bad_certificate_is_refused(
    own: Authority, tmp_path: Path, listen: Callable[..., Listener], bad: Callable[..., Any], call: Callable[..., None]
) -> None:
    listener = listen(*bad(own, tmp_path))
    with pytest.raises(REFUSED, match="certificate verify failed"):
        call(own, listener.port)
    assert listener.accepted == 0


@pytest.mark.parametrize("call", CALLS)
def test_a_good_certificate_is_spoken_to(
    own: Authority, tmp_path: Path, listen: Callable[..., Listener], call: Callable[..., None]
) -> None:
    """The other side of the test above: there it was the certificate. This listener hangs up afterwards."""
    listener = listen(*_good(own, tmp_path))
    with pytest.raises(Exception) as told:
        call(own, listener.port)
    assert "certificate" not in str(told.value)
    assert listener.accepted > 0


def test_a_joining_machine_compares_the_authority(own: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enrolment, "_ask", lambda *asked, **more: own.pem.encode())
    digits = own.fingerprint
    with_colons = ":".join(digits[at : at + 2] for at in range(0, 64, 2)).upper()
    assert enrolment.fetch_authority("https://x:1", digits) == own.pem
    assert enrolment.fetch_authority("https://x:1", with_colons) == own.pem
    with pytest.raises(EnrolmentFailed, match="Nothing was sent"):
        enrolment.fetch_authority("https://x:1", digits[:-1] + ("0" if digits[-1] != "0" else "1"))


@pytest.mark.row("S54")
@pytest.mark.parametrize("text", ["false", "False", "0"])
def test_s54_false_is_false(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COMPUTECLOUD_TLS", text)
    assert settings.conf.__wrapped__().tls is False
    monkeypatch.setenv("COMPUTECLOUD_TLS", "true")
    assert settings.conf.__wrapped__().tls is True


@pytest.mark.row("S54")
@pytest.mark.parametrize("text", ["no", "off", "maybe", "2", "none"])
def test_s54_what_is_neither_true_nor_false_stops_the_process(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("COMPUTECLOUD_TLS", text)
    with pytest.raises(settings.ConfigurationError, match="tls"):
        settings.conf.__wrapped__()


def test_no_setting_switches_verification_off() -> None:
    words = ("insecure", "verify", "unsafe", "skip")
    assert [name for name in Conf.__struct_fields__ if any(word in name for word in words)] == []
    for url in ("rediss://x/0", "amqps://x//"):
        found = broker_tls(Conf(broker_url=url)) or {}
        assert found.get("ssl_cert_reqs", found.get("cert_reqs")) == ssl.CERT_REQUIRED
        assert found.get("ssl_check_hostname", found.get("server_hostname")) in (True, "x")
