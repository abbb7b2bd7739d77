"""A third host joins a running cloud of real hosts, takes a guest, and leaves without a trace."""

from __future__ import annotations

import json
import os
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from computecloud.core.command import run
from deploy import cloud as clouds
from deploy import credentials, hosts
from deploy.client import Client
from deploy.cloud import Cloud, free_port
from tests.support import listeners
from tests.support.box import Box, cloud, plugged_in
from tests.support.fault_cloud import wait_for

pytest.importorskip("libvirt")
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(os.geteuid() != 0 or shutil.which("libvirtd") is None, reason="needs root and libvirtd"),
]
SERVICES = "/compute/v2.1/os-services?binary=nova-compute"


@pytest.fixture(scope="module")
def box() -> Iterator[Box]:
    with plugged_in(f"ccr{os.getpid() % 100000}", Path(f"/tmp/cc-test-third-box-{os.getpid()}")) as made:
        yield made


@pytest.fixture(scope="module")
def one(box: Box) -> Iterator[Cloud]:
    state = Path(f"/tmp/cc-test-third-{os.getpid()}")
    done = cloud(
        "up", "--no-guest", "--tls", "--hosts-listen", box.here, "--state", str(state), "--port", str(free_port())
    )
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        yield clouds.existing(state)
    finally:
        cloud("down", "--purge", "--state", str(state))


def admin(one: Cloud) -> Client:
    return Client(one.local_url, "admin", credentials.ensure(one.state).admin_password, trust=one.trust)


def names(one: Cloud) -> dict[str, str]:
    return {row["host"]: row["state"] for row in admin(one).get(SERVICES)["services"]}


def broker(one: Cloud) -> redis.Redis:
    path = f"{one.run}/redis.sock"
    return redis.Redis(unix_socket_path=path, password=credentials.ensure(one.state).broker_password)


def close_for_servers(one: Cloud, host: str) -> None:
    row = next(row for row in admin(one).get(SERVICES)["services"] if row["host"] == host)
    admin(one).put(f"/compute/v2.1/os-services/{row['id']}", {"status": "disabled"})


def boot_on(one: Cloud, host: str) -> dict[str, Any]:
    """A guest on that very host, with a port on the demo's network, once it is active."""
    client = admin(one)
    image = client.get("/image/v2/images?name=computecloud-guest")["images"][0]["id"]
    network = client.get("/network/v2.0/networks?name=private-net")["networks"][0]["id"]
    port = {"network_id": network, "name": f"on-{host}"}
    port_id = client.post("/network/v2.0/ports", {"port": port})["port"]["id"]
    wish = {
        "name": f"on-{host}", "flavorRef": "1", "imageRef": image, "networks": [{"port": port_id}],
        "availability_zone": f"nova:{host}",
    }  # fmt: skip

    def settled() -> Any:
        """The server; None when the scheduler, which reads the hosts once a second, did not know this one yet."""
        server_id = client.post("/compute/v2.1/servers", {"server": wish})["server"]["id"]
        path = f"/compute/v2.1/servers/{server_id}"
        found = wait_for("it settles", lambda: (s := client.get(path)["server"])["status"] != "BUILD" and s)
        if found["status"] == "ERROR" and "No valid host" in found["fault"]["message"]:
            client.delete(path)
            return None
        assert found["status"] == "ACTIVE", found["fault"]
        return found

    found: dict[str, Any] = wait_for(f"a guest on {host}", settled, 15)
    assert found["OS-EXT-SRV-ATTR:host"] == host
    return found | {"port_id": port_id}


def delete(one: Cloud, server: dict[str, Any]) -> None:
    client = admin(one)
    client.delete(f"/compute/v2.1/servers/{server['id']}")
    wait_for("the guest is gone", lambda: client.get("/compute/v2.1/servers")["servers"] == [])
    client.delete(f"/network/v2.0/ports/{server['port_id']}")


def processes_that_name(text: str) -> list[str]:
    """Command lines on this machine with this text in them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and entry.name != str(os.getpid()):
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
            if text in line:
                found.append(line)
    return found


def links() -> set[str]:
    return {link["ifname"] for link in json.loads(run(["ip", "-json", "link"]))}


def test_a_third_host_joins_takes_a_guest_and_leaves(one: Cloud) -> None:
    before = links()
    done = cloud("host", "add", "compute3", "--state", str(one.state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert names(one) == {"compute1": "up", "compute2": "up", "compute3": "up"}
    uuid = tomllib.loads((one.data / "identities" / "compute3" / "identity.toml").read_text())["uuid"]
    assert hosts.host(one.state, "compute3").uuid == uuid  # libvirt's identity is the cloud's

    guest = boot_on(one, "compute3")
    listed = run([*hosts.enter(one.state, "compute3"), "virsh", "-c", "qemu:///system", "list", "--name"])
    assert listed.decode().split() == [guest["OS-EXT-SRV-ATTR:instance_name"]]
    held = cloud("host", "remove", "compute3", "--state", str(one.state))
    assert held.returncode == 1 and "it holds on-compute3" in held.stderr

    # Drained by moving nothing: no new servers, and the one it has is deleted.
    close_for_servers(one, "compute3")
    delete(one, guest)
    done = cloud("host", "remove", "compute3", "--state", str(one.state))
    assert done.returncode == 0, done.stdout + done.stderr

    assert names(one) == {"compute1": "up", "compute2": "up"}
    assert processes_that_name("compute3") == []
    assert links() == before
    assert str(one.state / "hosts" / "ns" / "compute3") not in Path("/proc/self/mountinfo").read_text()
    assert [str(path) for path in one.state.rglob("*compute3*") if path.parent != one.log] == []
    assert [key for key in broker(one).keys("*") if uuid in key.decode()] == []
    assert len(set(broker(one).acl_users()) - {"default"}) == 2
    providers = admin(one).get("/placement/resource_providers")["resource_providers"]
    assert {provider["name"] for provider in providers} == {"compute1", "compute2"}
    audit = cloud("audit", "--state", str(one.state))
    assert audit.returncode == 0, audit.stdout + audit.stderr


def test_a_machine_joins_with_a_hypervisor_of_its_own_and_leaves(one: Cloud, box: Box) -> None:
    line = cloud("host", "token", "--state", str(one.state)).stdout.split()
    assert line[:2] == ["./cloud", "join"]
    done = box.cloud(*line[1:], "--name", "box", "--state", str(box.state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert names(one) == {"compute1": "up", "compute2": "up", "box": "up"}
    guest = boot_on(one, "box")
    delete(one, guest)
    done = cloud("host", "remove", "box", "--state", str(one.state))
    assert done.returncode == 0, done.stdout + done.stderr
    done = box.cloud("down", "--purge", "--state", str(box.state))
    assert done.returncode == 0, done.stdout + done.stderr
    assert processes_that_name(str(box.state)) == []
    assert str(box.state) not in Path("/proc/self/mountinfo").read_text()
    inside = json.loads(run(["nsenter", f"--net=/var/run/netns/{box.name}", "--", "ip", "-json", "link"]))
    assert {link["ifname"] for link in inside} == {"lo", "up0"}
    assert names(one) == {"compute1": "up", "compute2": "up"}


def test_s53_a_real_cloud_listens_on_loopback_and_the_hosts_own_networks_only(one: Cloud, box: Box) -> None:
    own = hosts.gateway(one.state)
    assert listeners.of(one) == {
        f"tcp 127.0.0.1:{one.wish.port}", f"tcp {own}:8776", f"tcp {box.here}:8776", f"tcp {own}:6379",
        f"tcp {box.here}:6379",
    }  # fmt: skip
