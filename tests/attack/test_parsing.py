"""S26 to S32 against a running cloud: text that would like to be more than text, and bodies without end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from computecloud.http.microversions import write
from tests.attack.conftest import RunningTenant, tiny_server
from tests.contract.test_fuzz import LONGEST_ERROR, RAW, assert_sane
from tests.contract.test_rows import LISTS, MARKUP, NOSY, kept
from tests.contract.walk import versions
from tests.support.client import Person
from tests.support.running import RunningCloud, wait_for
from tests.support.tenant import V2

pytestmark = pytest.mark.faults
SERVERS = "/compute/v2.1/servers"


@pytest.fixture(scope="module")
def demo(running: RunningCloud) -> Person:
    """A member whose servers are really built, on simulated hosts."""
    return running.demo().at("2.37")


def settled(person: Person, server: str) -> dict[str, Any]:
    def shown() -> Any:
        found = person.get(f"{SERVERS}/{server}").json()["server"]
        return found if found["status"] not in ("BUILD", "REBOOT") else None

    found: dict[str, Any] = wait_for(f"server {server} is built", shown)
    return found


def boot(person: Person, **more: Any) -> dict[str, Any]:
    made = person.post(SERVERS, {"server": tiny_server(person) | more})
    assert made.status_code == 202, made.content
    return settled(person, made.json()["server"]["id"])


def guest(running: RunningCloud, server: str) -> dict[str, Any]:
    """What its host was told to make."""
    [path] = (running.state / "data" / "agent-fake" / "hosts").glob(f"*/guests/{server}.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


@pytest.mark.row("S26")
def test_markup_in_a_name_is_a_name(running: RunningCloud, demo: Person) -> None:
    """The XML that libvirt gets is compared in tests/contract; here: the whole way to a host."""
    wild, tame = boot(demo, name=MARKUP), boot(demo, name="tame")
    assert wild["status"] == "ACTIVE" and wild["name"] == MARKUP
    told, plain = guest(running, wild["id"]), guest(running, tame["id"])
    assert told == plain | {name: told[name] for name in ("id", "operation_id", "name", "host_id") if name in plain}
    for one in (wild, tame):
        assert demo.delete(f"{SERVERS}/{one['id']}").status_code == 204


@pytest.mark.row("S27")
@pytest.mark.parametrize("path", ["../../../canary", "/canary", "a/../../canary", "\\u002e\\u002e/canary", "canary"])
def test_no_file_is_written_where_a_user_says(running: RunningCloud, demo: Person, path: str) -> None:
    wish = tiny_server(demo) | {"personality": [{"path": path, "contents": "eA=="}]}
    for version, networks in (("2.1", {"networks": []}), ("2.37", {}), ("2.56", {}), ("2.57", {})):
        answer = demo.at(version).post(SERVERS, {"server": wish | networks})
        assert answer.status_code == 400 and "personality" in answer.text, answer.content
    assert not list(running.state.rglob("*canary*")) and not Path("/canary").exists()


SHELL = (
    "-o x", "--help", "$(touch {})", ";touch {};", "`touch {}`", "|touch {}", "\ntouch {}\n", "&& touch {}",
    "%0atouch {}",
)  # fmt: skip


@pytest.mark.row("S28")
def test_no_text_reaches_a_shell_or_is_an_option(running: RunningCloud, demo: Person, tmp_path: Path) -> None:
    """On every name that a user gives: the canary is not made, and what was accepted works."""
    canary, admin, booted = tmp_path / "canary", running.admin(), []
    for text in (one.format(canary) for one in SHELL):
        places = [
            (demo, SERVERS, {"server": tiny_server(demo) | {"name": text, "metadata": {"k": text}}}),
            (demo, SERVERS, {"server": tiny_server(demo) | {"name": "x", "key_name": text}}),
            (demo, SERVERS, {"server": tiny_server(demo) | {"name": "x", "availability_zone": text}}),
            (demo, "/compute/v2.1/os-keypairs", {"keypair": {"name": text}}),
            (demo, "/compute/v2.1/os-server-groups", {"server_group": {"name": text, "policies": ["affinity"]}}),
            (demo, "/image/v2/images", {"name": text, "disk_format": "raw", "hw_disk_bus": text, "os_type": text}),
            (demo, f"{V2}/networks", {"network": {"name": text, "description": text}}),
            (demo, f"{V2}/routers", {"router": {"name": text}}),
            (demo, f"{V2}/security-groups", {"security_group": {"name": text}}),
            (admin, "/compute/v2.1/flavors", {"flavor": {"name": text, "ram": 64, "vcpus": 1, "disk": 0}}),
            (admin, "/compute/v2.1/os-aggregates", {"aggregate": {"name": text}}),
            (admin, "/identity/v3/projects", {"project": {"name": text}}),
        ]
        for person, path, body in places:
            answer = person.post(path, body)
            assert answer.status_code < 500, (path, text, answer.content)
            if path == SERVERS and answer.status_code == 202:
                booted.append(answer.json()["server"]["id"])
            elif path.endswith("networks") and answer.status_code == 201:
                network = answer.json()["network"]["id"]
                for name in (text, "x"):
                    subnet = {"network_id": network, "cidr": "10.77.0.0/24", "ip_version": 4, "name": name}
                    demo.post(f"{V2}/subnets", {"subnet": subnet | {"dns_nameservers": [text]}})
                demo.post(f"{V2}/ports", {"port": {"network_id": network, "name": text, "extra_dhcp_opts": [
                    {"opt_name": "router", "opt_value": text}]}})  # fmt: skip
                assert demo.delete(f"{V2}/networks/{network}").status_code in (204, 409)
        for one in booted:
            assert settled(demo, one)["status"] == "ACTIVE"
            demo.delete(f"{SERVERS}/{one}")
        booted.clear()
    assert not canary.exists() and not list(running.state.rglob("canary"))


@pytest.mark.row("S29")
@pytest.mark.parametrize("name", ["as_member", "as_admin"])
def test_request_keys_are_no_lookups(tenant: RunningTenant, name: str) -> None:
    asker, wrong = getattr(tenant.cloud, name), []
    for route in LISTS:
        for version in versions(route, "get")[-1:]:
            headers = {"OpenStack-API-Version": f"{route.service} {write(version)}"} if version else {}
            plain = asker.get(route.path, headers=headers)
            for nosy in (NOSY, *NOSY.split("&")):
                answer = asker.get(f"{route.path}?{nosy}", headers=headers)
                assert "argon2" not in answer.text
                is_refused = answer.status_code in (400, 403, 404, 410)
                if route.path == "/image/v2/images" and not is_refused:
                    assert answer.json()["images"] == []  # any other name is one of images' own properties
                elif not is_refused and kept(answer) != kept(asker.get(route.path, headers=headers)):
                    wrong.append(f"{route.path}?{nosy[:60]}: {answer.status_code} {answer.content[:200]!r}")
            assert plain.status_code < 500
    assert not wrong, "\n".join(wrong)


def spoken(running: RunningCloud, head: str, body: Iterator[bytes], seconds: float = 20) -> tuple[bytes, float]:
    """What the front says to a request whose body may never end, and after how long."""
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", running.port), timeout=seconds) as line:
        line.sendall(head.encode())
        try:
            for piece in body:
                line.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it has heard enough
        told = b""
        while b"\r\n\r\n" not in told and (piece := line.recv(65536)):
            told += piece
    return told, time.monotonic() - began


@pytest.mark.row("S30")
@pytest.mark.parametrize(
    "path",
    [SERVERS, "/identity/v3/auth/tokens", "/image/v2/images", f"{V2}/networks", "/api/v1/operations", "/placement/"],
)
@pytest.mark.parametrize("is_chunked", [False, True])
def test_fifty_megabytes_are_refused_at_once(running: RunningCloud, path: str, is_chunked: bool) -> None:
    megabyte = bytes(1024**2)
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    if is_chunked:
        pieces = iter([b"100000\r\n" + megabyte + b"\r\n"] * 50)
        told, seconds = spoken(running, head + "Transfer-Encoding: chunked\r\n\r\n", pieces)
    else:
        told, seconds = spoken(running, head + f"Content-Length: {50 * 1024**2}\r\n\r\n", iter([]))
    assert told.startswith(b"HTTP/1.1 413"), told[:200]
    assert seconds < 5


@pytest.mark.row("S30")
def test_deep_wide_and_broken_bodies_are_refused(running: RunningCloud, demo: Person) -> None:
    for data in (*RAW, b"[" * 100_000, b'{"a":' * 40_000, json.dumps({str(n): 0 for n in range(10_001)}).encode()):
        answer = demo.request("POST", SERVERS, data=data, content_type="application/json")
        assert answer.status_code == 400 and answer.seconds < 5, (data[:30], answer.content)
        assert_sane(answer, "compute", str(data[:30]))
    for kind in ("application/xml", "text/xml", "application/x-yaml", "multipart/form-data; boundary=x", "text/plain"):
        evil = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>'
        answer = demo.request("POST", SERVERS, data=evil, content_type=kind)
        assert answer.status_code in (400, 415) and "root:" not in answer.text


@pytest.mark.row("S31")
@pytest.mark.parametrize(
    "pattern", ["(a%2B)%2B%24", "(a|a)*b", "((a*)*)*%24", "a{1,9999}b", "%25" * 200, "_" * 255, "x" * 5000]
)
def test_a_list_costs_a_bounded_time(demo: Person, pattern: str) -> None:
    for name in ("name", "ip", "hostname", "flavor", "image", "status", "tags", "sort_key", "marker"):
        answer = demo.get(f"{SERVERS}?limit=100000000&{name}={pattern}")
        assert answer.status_code in (200, 400), answer.content
        assert answer.seconds < 5 and (answer.status_code == 200 or len(answer.content) < LONGEST_ERROR)
        assert answer.status_code != 200 or len(answer.json()["servers"]) <= 1000


@pytest.mark.row("S31")
def test_hints_without_end_are_refused(demo: Person) -> None:
    many, long = {f"k{n}": "v" for n in range(5000)}, {"x": "y" * 200_000}
    for hints in (many, long, {"query": "[" * 50_000}, {"same_host": ["x"] * 9000}):
        answer = demo.post(SERVERS, {"server": tiny_server(demo), "os:scheduler_hints": hints})
        if answer.status_code == 202:  # known by nobody, and short enough
            demo.delete(f"{SERVERS}/{answer.json()['server']['id']}")
        else:
            assert answer.status_code == 400
        assert answer.seconds < 5 and len(answer.content) < LONGEST_ERROR


@pytest.mark.row("S31", "S32")
def test_thousands_of_strangers_leave_nothing(running: RunningCloud, tenant: RunningTenant) -> None:
    """Unknown paths, without a token, with a bad one and with a good one: no rows, no memory, few words in the logs."""
    tokens = (None, "junk", tenant.cloud.as_other.token)

    def strangers(first: int, last: int) -> None:
        def ask(number: int) -> None:
            person = Person(tokens[number % 3], client=running.wire)
            service = ("compute/v2.1", "identity/v3", "image/v2", "network/v2.0", "placement", "api/v1", "x", "admin")
            answer = person.get(f"/{service[number % 8]}/no-{number}-{'y' * 200}?q={number}")
            assert answer.status_code in (302, 401, 403, 404), answer.content

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, range(first, last)))

    strangers(0, 1500)
    ours = ("identity_", "instances_", "images_", "networks_", "operations_", "django_", "auth_", "scheduling_")
    rows = {name: n for name, n in running.row_counts().items() if name.startswith(ours)}
    memory, logs = running.memory_kib("api"), log_bytes(running)
    strangers(1500, 5500)
    assert running.memory_kib("api") - memory < 20 * 1024
    assert log_bytes(running) - logs < 4000 * 1024
    after = running.row_counts()
    assert {name: (n, after[name]) for name, n in rows.items() if after[name] != n} == {}


def log_bytes(running: RunningCloud) -> int:
    return sum(path.stat().st_size for path in (running.state / "log").iterdir())
