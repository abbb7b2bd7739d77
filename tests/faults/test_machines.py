"""A cloud with TLS and another machine: who may join and leave, what listens, what a host's credential is good for."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from deploy import cloud as clouds
from deploy import config, credentials
from deploy.client import Client
from deploy.cloud import Cloud, free_port
from tasks.agent.client import Conductor, ConductorRefused, TlsFiles
from tasks.conductor import wire
from tests.support import listeners
from tests.support.box import Box, cloud, plugged_in
from tests.support.fault_cloud import wait_for

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(os.geteuid() != 0, reason="another machine is a network namespace here: needs root"),
]
HOSTS = "/compute/v2.1/os-services?binary=nova-compute"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with plugged_in(f"ccb{os.getpid() % 100000}", Path(f"/tmp/cc-test-box-{os.getpid()}")) as made:
        yield made


@pytest.fixture(scope="module")
def one(box: Box) -> Iterator[Cloud]:
    state = Path(f"/tmp/cc-test-machines-{os.getpid()}")
    done = cloud(
        "up", "--fake", "1", "--tls", "--hosts-listen", box.here, "--state", str(state), "--port", str(free_port())
    )
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield clouds.existing(state)
    finally:
        cloud("down", "--purge", "--state", str(state))
        shutil.rmtree(state, ignore_errors=True)


def client(one: Cloud, who: str = "admin") -> Client:
    secrets = credentials.ensure(one.state)
    password = {"admin": secrets.admin_password, "demo": secrets.demo_password}[who]
    return Client(one.local_url, who, password, trust=one.trust)


def told(one: Cloud, *arguments: str, status: int = 0) -> str:
    done = cloud(*arguments, "--state", str(one.state))
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def hosts(one: Cloud) -> dict[str, str]:
    """Name → state, of the compute services."""
    return {row["host"]: row["state"] for row in client(one).get(HOSTS)["services"]}


def invitation(one: Cloud, ttl: str = "600") -> tuple[str, str, str]:
    """URL, token and fingerprint of the line that is printed."""
    line = r"^\./cloud join (\S+) --token (\S+) --ca-fingerprint ([0-9a-f]{64})$"
    found = re.search(line, told(one, "host", "token", "--ttl", ttl), re.M)
    assert found
    return found[1], found[2], found[3]


def join(box: Box, url: str, token: str, fingerprint: str, name: str = "box") -> subprocess.CompletedProcess[str]:
    return box.cloud(
        "join", url, "--token", token, "--ca-fingerprint", fingerprint, "--name", name, "--fake",
        "--state", str(box.state),
    )  # fmt: skip


def broker(one: Cloud, agent: str = "") -> redis.Redis:
    """The broker as an agent of this machine sees it, or as the cloud itself does."""
    path = f"{one.run}/redis.sock"
    if not agent:
        return redis.Redis(unix_socket_path=path, password=credentials.ensure(one.state).broker_password)
    found = config.room_of(one, agent).credential()
    assert found
    return redis.Redis(unix_socket_path=path, username=found.broker_user, password=found.broker_password)


def users(one: Cloud) -> set[str]:
    return {str(name) for name in broker(one).acl_users()} - {"default"}


# --- what listens (S53), and for whom


@pytest.mark.row("S53")
def test_s53_nothing_listens_but_what_was_asked_for(one: Cloud, box: Box) -> None:
    wish = one.wish
    assert listeners.of(one) == {
        f"tcp 127.0.0.1:{wish.port}",
        f"tcp 127.0.0.1:{wish.conductor_port}",
        f"tcp {box.here}:{wish.conductor_port}",
        f"tcp {box.here}:{wish.broker_port}",
    }


def test_a_client_needs_the_authority_and_is_told_of_it(one: Cloud) -> None:
    exports = dict(re.findall(r"^export (\w+)=(\S+)$", told(one, "env", "demo"), re.M))
    assert exports["OS_AUTH_URL"].startswith("https://")
    trusted = ssl.create_default_context(cafile=exports["OS_CACERT"])
    for context, well in ((trusted, True), (ssl.create_default_context(), False)):
        line = http.client.HTTPSConnection("127.0.0.1", one.wish.port, context=context, timeout=20)
        if well:
            line.request("GET", "/identity/v3")
            assert line.getresponse().status == 200
        else:
            with pytest.raises(ssl.SSLCertVerificationError):
                line.request("GET", "/identity/v3")
        line.close()
    assert f"cacert: {json.dumps(exports['OS_CACERT'])}" in (one.state / "clouds.yaml").read_text()


def gate(one: Cloud, certificate: str = "", key: str = "") -> Conductor:
    """The conductor, asked with the secret of this machine's agent and any certificate."""
    identity = tomllib.loads((one.data / "identities" / "fake0001" / "identity.toml").read_text())
    files = TlsFiles(str(one.ca / "ca.crt"), certificate, key)
    return Conductor(identity["conductor_url"], identity["uuid"], identity["secret"], tls=files)


@pytest.mark.row("S53")
def test_s53_a_secret_opens_the_conductor_with_its_own_certificate_only(one: Cloud, tmp_path: Path) -> None:
    room = config.room_of(one, "fake")
    held = wire.Renew("somebody", [])
    assert gate(one, str(room.certificate), str(room.key)).renew(held).lost == []
    for files in (("", ""), (str(one.ca / "server.crt"), str(one.ca / "server.key"))):
        with pytest.raises(ConductorRefused) as no:
            gate(one, *files).renew(held)
        assert no.value.status in (400, 401)


@pytest.mark.row("S53")
def test_s53_an_agents_broker_user_reaches_its_own_queues_only(one: Cloud) -> None:
    own = config.Agent("fake", [one.data / "identities" / "fake0001" / "identity.toml"]).uuids()[0]
    agent, other = broker(one, "fake"), "host.00000000-0000-4000-8000-000000000000"
    assert agent.ping()
    agent.lpush(f"host.{own}.test", "a bell of its own")  # no worker listens to this one
    assert agent.rpop(f"host.{own}.test") == b"a bell of its own"
    forbidden: list[tuple[Any, ...]] = [
        ("BRPOP", other, 1), ("LPUSH", other, "x"), ("LPUSH", "control", "x"), ("RPOP", "control"), ("KEYS", "host*"),
        ("PUBLISH", "/0.celery.pidbox", '{"method": "shutdown"}'), ("PSUBSCRIBE", "*"), ("KEYS", "*"), ("SCAN", 0),
        ("SMEMBERS", "_kombu.binding.control"), ("SADD", "_kombu.binding.control", "x"), ("DEL", f"host.{own}"),
        ("ACL", "LIST"), ("ACL", "SETUSER", "me"), ("CONFIG", "GET", "*"), ("EVAL", "return 1", 0), ("FLUSHALL",),
        ("CLIENT", "LIST"), ("MONITOR",), ("SHUTDOWN",),
    ]  # fmt: skip
    for words in forbidden:
        with pytest.raises(redis.exceptions.ResponseError, match=r"NOPERM|no permissions|unknown command"):
            agent.execute_command(*words)


@pytest.mark.row("S53")
def test_s53_the_broker_wants_a_certificate_and_a_password(one: Cloud, box: Box) -> None:
    room = config.room_of(one, "fake")
    where: dict[str, Any] = {
        "host": box.here, "port": one.wish.broker_port, "ssl": True, "ssl_ca_certs": str(one.ca / "ca.crt"),
        "retry": Retry(NoBackoff(), 0),
    }  # fmt: skip
    files = {"ssl_certfile": str(room.certificate), "ssl_keyfile": str(room.key)}
    with pytest.raises(redis.exceptions.ConnectionError):
        redis.Redis(**where).ping()
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(**where, **files).ping()
    with pytest.raises(redis.exceptions.AuthenticationError):
        redis.Redis(**where, **files, password="guess").ping()
    with pytest.raises(redis.exceptions.ConnectionError, match="certificate"):
        redis.Redis(**(where | {"ssl_ca_certs": None}), **files).ping()


def test_flower_still_reaches_every_worker(one: Cloud) -> None:
    """Agents may answer inspections, though they may send none."""
    here = str(clouds.CHECKOUT)
    settings = {"COMPUTECLOUD_CONFIG": str(one.config_file), "PATH": os.environ["PATH"], "PYTHONPATH": here}
    program = "from computecloud.celery import app; print(sorted(app.control.inspect(timeout=5).ping() or {}))"
    asked = [str(clouds.CHECKOUT / ".venv/bin/python"), "-c", program]
    seen = subprocess.run(asked, env=settings, capture_output=True, text=True, check=True, cwd=clouds.CHECKOUT)
    assert seen.stdout.strip() == "['compute@fake', 'control@cloud']"


# --- hosts come and go


def test_a_host_of_this_machine_comes_and_goes(one: Cloud) -> None:
    told(one, "host", "add", "extra")
    assert hosts(one) == {"fake0001": "up", "extra": "up"}
    before = (one.data / "identities" / "extra" / "identity.toml").read_text()
    told(one, "host", "add", "extra")  # again: nothing changes
    assert (one.data / "identities" / "extra" / "identity.toml").read_text() == before
    assert "extra" in told(one, "host", "list")
    own = tomllib.loads(before)["uuid"]
    told(one, "host", "remove", "extra")
    wait_for("the services without it", lambda: hosts(one) == {"fake0001": "up"})
    assert not (one.data / "identities" / "extra").exists()
    assert not (one.data / "agent-fake" / "hosts" / "extra").exists()
    assert [key for key in broker(one).keys("*") if own in key.decode()] == []
    assert "There is no compute host extra" in told(one, "host", "remove", "extra", status=1)
    told(one, "up")
    assert hosts(one) == {"fake0001": "up"}


def test_a_machine_that_may_not_join_is_told_why_and_leaves_nothing(one: Cloud, box: Box) -> None:
    url, token, fingerprint = invitation(one)
    for words, reason in (
        ((url, token, "0" * 64), "has the fingerprint"),
        ((url, "guessed", fingerprint), "is not known"),
        ((f"http{url[5:]}", token, fingerprint), "is no conductor"),
        ((f"https://{box.here}:1", token, fingerprint), "No conductor answers"),
        ((url, token, fingerprint, "fake0001"), "There is a compute host fake0001 already"),
        ((url, invitation(one, "0.001")[1], fingerprint), "has expired"),
    ):
        done = join(box, *words)
        assert done.returncode == 1 and reason in done.stderr, done.stdout + done.stderr
    assert hosts(one) == {"fake0001": "up"} and len(users(one)) == 1


def test_another_machine_joins_takes_a_server_and_leaves(one: Cloud, box: Box) -> None:
    url, token, fingerprint = invitation(one)
    done = join(box, url, token, fingerprint)
    assert done.returncode == 0, done.stdout + done.stderr
    assert hosts(one) == {"fake0001": "up", "box": "up"} and len(users(one)) == 2
    again = box.cloud("join", url, "--fake", "--state", str(box.state))
    assert again.returncode == 0 and "enrolled already" in again.stdout, again.stdout + again.stderr
    thief = box.cloud(
        "join", url, "--token", token, "--ca-fingerprint", fingerprint, "--name", "thief", "--fake",
        "--state", f"{box.state}-2",
    )  # fmt: skip
    shutil.rmtree(f"{box.state}-2")
    assert thief.returncode == 1 and "used before" in thief.stderr, thief.stdout + thief.stderr

    server_id = boot_on(one, "box")
    refused = told(one, "host", "remove", "box", status=1)
    assert "it holds guest" in refused and hosts(one)["box"] == "up"
    client(one).delete(f"/compute/v2.1/servers/{server_id}")
    wait_for("no servers", lambda: client(one).get("/compute/v2.1/servers?all_tenants=1")["servers"] == [])
    told(one, "host", "remove", "box")
    assert hosts(one) == {"fake0001": "up"} and len(users(one)) == 1
    uuid = tomllib.loads((box.state / "data" / "identities" / "box" / "identity.toml").read_text())["uuid"]
    assert [key for key in broker(one).keys("*") if uuid in key.decode()] == []

    # A machine that comes back is the same host (R19).
    url, token, fingerprint = invitation(one)
    assert join(box, url, token, fingerprint).returncode == 0
    rows = client(one).get(HOSTS)["services"]
    assert [row["id"] for row in rows if row["host"] == "box"] == [uuid]
    told(one, "host", "remove", "box")
    assert box.cloud("down", "--purge", "--state", str(box.state)).returncode == 0
    assert not box.state.exists()


def boot_on(one: Cloud, host: str) -> str:
    """A server on that very host, when it is active."""
    admin = client(one)
    image = admin.get("/image/v2/images?name=bench-image")["images"][0]["id"]
    wish = {
        "name": "guest", "flavorRef": "bench", "imageRef": image, "networks": "none",
        "availability_zone": f"nova:{host}",
    }  # fmt: skip
    server_id = str(admin.post("/compute/v2.1/servers", {"server": wish})["server"]["id"])

    def active() -> bool:
        found = admin.get(f"/compute/v2.1/servers/{server_id}")["server"]
        assert found["status"] != "ERROR", found
        return bool(found["status"] == "ACTIVE" and found["OS-EXT-SRV-ATTR:host"] == host)

    wait_for(f"{server_id} on {host}", active)
    return server_id
