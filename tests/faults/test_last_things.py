"""One last place, quota unit, address, group slot, and many who want it at the same moment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.faults.conftest import CHECKOUT, FaultCloud, Rig, wait_for

pytestmark = pytest.mark.faults

SERVERS = "/compute/v2.1/servers"
AT_ONCE = 40


@pytest.fixture
def admin(rig: Rig) -> FaultCloud:
    return rig.admin()


@pytest.fixture
def project(admin: FaultCloud) -> str:
    found: str = admin.get("/identity/v3/projects?name=demo")["projects"][0]["id"]
    return found


@contextmanager
def quota(admin: FaultCloud, project: str, **limits: int) -> Iterator[None]:
    path = f"/compute/v2.1/os-quota-sets/{project}"
    before = admin.get(path)["quota_set"]
    assert admin.call("PUT", path, {"quota_set": limits})[0] == 200
    try:
        yield
    finally:
        former = {name: before[name] for name in limits}
        assert admin.call("PUT", path, {"quota_set": {**former, "force": True}})[0] == 200


def all_at_once(ask: Callable[[int], tuple[int, Any]], times: int = AT_ONCE) -> list[tuple[int, Any]]:
    barrier, answers = threading.Barrier(times), []

    def one(number: int) -> None:
        barrier.wait()
        answers.append(ask(number))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(answers) == times
    return answers


@contextmanager
def second_scheduler(cloud: FaultCloud) -> Iterator[None]:
    """Another control process on the same broker."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("COMPUTECLOUD_", "DJANGO_"))},
        "COMPUTECLOUD_CONFIG": str(cloud.state / "etc" / "computecloud.conf"),
        "COMPUTECLOUD_ROLE": "conductor",
        "PYTHONPATH": str(CHECKOUT),
    }
    command = [sys.executable, "-m", "deploy.task_process", "worker", "--name", "control2@cloud",
               "--queues", "control", "--threads", "2"]  # fmt: skip
    with (cloud.state / "log" / "control2.log").open("ab") as log:
        process = subprocess.Popen(command, env=environment, cwd=CHECKOUT, stdout=log, stderr=log)
    try:
        time.sleep(4)
        assert process.poll() is None, (cloud.state / "log" / "control2.log").read_text()[-2000:]
        yield
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(30)


class Sampler(threading.Thread):
    """Looks again and again whether more is used than there is."""

    def __init__(self, rig: Rig) -> None:
        super().__init__(daemon=True)
        self.rig, self.ended, self.samples, self.over = rig, threading.Event(), 0, []

    over: list[tuple[Any, ...]]

    def run(self) -> None:
        while not self.ended.is_set():
            rows = self.rig.books.try_ask(
                "SELECT host_id, resource_class, used FROM hosts_inventory WHERE used > capacity"
            )
            self.samples += rows is not None
            self.over += rows or []
            self.ended.wait(0.01)


@pytest.mark.row("F38")
def test_two_schedulers_and_one_last_place(rig: Rig, admin: FaultCloud, project: str) -> None:
    """Each server fills a host; two of three hosts are taken; two hundred want the third."""
    cloud = rig.cloud
    ram_mb = min(
        row[0] for row in rig.books.ask("SELECT capacity FROM hosts_inventory WHERE resource_class = 'MEMORY_MB'")
    )
    wanted = {"flavor": {"name": "whole-host", "ram": ram_mb, "vcpus": 1, "disk": 1}}
    status, made = admin.call("POST", "/compute/v2.1/flavors", wanted)
    assert status == 200, made
    flavor = made["flavor"]["id"]

    def create(number: int) -> tuple[int, Any]:
        server = {"name": f"whole-{number}", "flavorRef": flavor, "imageRef": cloud.image, "networks": "none"}
        return cloud.call("POST", SERVERS, {"server": server})

    with quota(admin, project, instances=-1, cores=-1, ram=-1), second_scheduler(cloud):
        taken = [create(900 + number)[1]["server"]["id"] for number in range(2)]
        for server in taken:
            cloud.wait_status(server, "ACTIVE")
        sampler = Sampler(rig)
        sampler.start()
        answers = all_at_once(lambda turn: create(turn), 200)
        assert {status for status, _body in answers} == {202}
        waiting = [body["server"]["id"] for _status, body in answers]
        wait_for("all settled", lambda: not rig.books.open_operations(), 180)
        sampler.ended.set()
        ends = Counter(
            row[0] for row in rig.books.ask("SELECT vm_state FROM instances_instance WHERE name LIKE ?", "whole-%")
        )
        assert sampler.samples > 20
        assert sampler.over == []
        assert ends == {"active": 3, "error": 199}
        faults = {
            row[0] for row in rig.books.ask("SELECT fault_message FROM instances_instance WHERE vm_state = 'error'")
        }
        assert all("No valid host" in fault for fault in faults), faults
        for server in [*taken, *waiting]:
            cloud.delete(server)
        wait_for("all gone", lambda: not rig.books.open_operations(), 180)
    assert admin.call("DELETE", f"/compute/v2.1/flavors/{flavor}")[0] == 202
    cloud.assert_balanced()


@pytest.mark.row("F39")
def test_the_last_unit_of_a_quota(rig: Rig, admin: FaultCloud, project: str) -> None:
    cloud = rig.cloud
    with quota(admin, project, instances=1):
        body = {"name": "last-unit", "flavorRef": cloud.flavor, "imageRef": cloud.image, "networks": "none"}
        answers = all_at_once(lambda _turn: cloud.call("POST", SERVERS, {"server": body}))
        assert Counter(status for status, _body in answers) == {202: 1, 403: AT_ONCE - 1}
        refusals = [answer for status, answer in answers if status == 403]
        assert all("Quota exceeded" in one["forbidden"]["message"] for one in refusals), refusals[0]
        winner = next(answer["server"]["id"] for status, answer in answers if status == 202)
        cloud.wait_status(winner, "ACTIVE")
        cloud.delete(winner)
        cloud.wait_status(winner, "gone")
    cloud.assert_balanced()


@pytest.mark.row("F39")
def test_the_same_address(rig: Rig) -> None:
    cloud = rig.cloud
    network = cloud.get("/network/v2.0/networks?name=private-net")["networks"][0]
    subnet = cloud.get(f"/network/v2.0/subnets/{network['subnets'][0]}")["subnet"]
    address = subnet["allocation_pools"][0]["end"]
    port = {"network_id": network["id"], "fixed_ips": [{"ip_address": address}]}
    answers = all_at_once(lambda _turn: cloud.call("POST", "/network/v2.0/ports", {"port": port}))
    assert Counter(status for status, _body in answers) == {201: 1, 409: AT_ONCE - 1}
    held = cloud.get(f"/network/v2.0/ports?fixed_ips=ip_address%3D{address}")["ports"]
    assert len(held) == 1
    assert cloud.call("DELETE", f"/network/v2.0/ports/{held[0]['id']}")[0] == 204
    cloud.assert_balanced()


@pytest.mark.row("F39")
def test_the_last_slot_of_a_group(rig: Rig, admin: FaultCloud, project: str) -> None:
    """Three hosts, one server of the group on each: three win, the others are told why."""
    cloud = rig.cloud
    group = {"server_group": {"name": "apart", "policy": "anti-affinity"}}
    status, made = cloud.call("POST", "/compute/v2.1/os-server-groups", group)
    assert status == 200, made
    hints = {"group": made["server_group"]["id"]}
    server = {"name": "apart", "flavorRef": cloud.flavor, "imageRef": cloud.image, "networks": "none"}
    with quota(admin, project, instances=-1, cores=-1, ram=-1, server_group_members=-1):
        answers = all_at_once(
            lambda _turn: cloud.call("POST", SERVERS, {"server": server, "os:scheduler_hints": hints}), 12
        )
        assert {status for status, _body in answers} == {202}, answers
        wait_for("all settled", lambda: not rig.books.open_operations(), 120)
        rows = rig.books.ask(
            "SELECT host_id, vm_state FROM instances_instance WHERE name = 'apart' AND deleted_at IS NULL"
        )
        hosts = [host for host, state in rows if state == "active"]
        assert (len(hosts), len(set(hosts))) == (3, 3), rows
        assert sum(1 for _host, state in rows if state == "error") == 9
        for _status, body in answers:
            cloud.delete(body["server"]["id"])
        wait_for("all gone", lambda: not rig.books.open_operations(), 120)
    assert cloud.call("DELETE", f"/compute/v2.1/os-server-groups/{hints['group']}")[0] == 204
    cloud.assert_balanced()
