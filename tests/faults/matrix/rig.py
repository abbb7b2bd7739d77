"""A whole control plane of real processes for the matrix, small hosts with a worker each, and hands to break them.

Leases and intervals are short, so that minutes become seconds; nothing else differs from a cloud.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, ClassVar

from tests.faults.matrix.stores import Stores

if TYPE_CHECKING:
    from instances.models import Instance

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60.0
CIDR = "10.77.0.0/22"
SETTINGS = {
    "lease_s": "12", "heartbeat_s": "2", "host_down_after_s": "14", "relay_after_s": "0.5", "sweep_s": "1",
    "reconcile_s": "2", "leftover_grace_s": "1", "drain_s": "10", "canary_s": "5", "consumer_stale_s": "20",
    "operation_deadline_s": "240", "stop_timeout_s": "1", "quota_instances": "-1", "quota_cores": "-1",
    "quota_ram_mb": "-1", "shelved_offload_s": "-1",
}  # fmt: skip


class Impatient(AssertionError):
    """What was waited for did not happen."""


def wait_for(what: str, ready: Callable[[], Any], seconds: float = PATIENCE_S, every_s: float = 0.05) -> Any:
    """The first true answer. Raises Impatient."""
    until = time.monotonic() + seconds
    while not (found := ready()):
        if time.monotonic() > until:
            raise Impatient(f"not within {seconds:.0f} s: {what}")
        time.sleep(every_s)
    return found


def environment(state: Path, stores: Stores) -> dict[str, str]:
    """The settings of every process of the matrix, this one included."""
    values = without_settings(os.environ)
    ours = SETTINGS | {
        "secret_key": "a key for the matrix only, never for a cloud",
        "state_dir": str(state),
        "database_url": stores.database_url,
        "broker_url": stores.broker.url,
        "failpoints_file": str(state / "arms"),
        "failpoints_dir": str(state / "reached"),
        "log_level": "INFO",
    }
    values |= {f"COMPUTECLOUD_{name.upper()}": value for name, value in ours.items()}
    return values | {
        "DJANGO_SETTINGS_MODULE": "computecloud.settings", "PYTHONPATH": str(CHECKOUT), "CELERY_SKIP_CHECKS": "1",
        "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2",
    }  # fmt: skip


def without_settings(values: Mapping[str, str]) -> dict[str, str]:
    """An environment in which no setting of ours is made."""
    return {name: value for name, value in values.items() if not name.startswith("COMPUTECLOUD_")}


class Nursery:
    """Where processes of one role are forked; says when one ended."""

    def __init__(self, role: str, surroundings: dict[str, str], log: Path, on_end: Callable[[int, int], None]) -> None:
        with log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.faults.matrix.nursery", role],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=out, cwd=CHECKOUT,
                env=surroundings | {"COMPUTECLOUD_ROLE": role},
            )  # fmt: skip
        self._numbers = itertools.count(1)
        self._born: dict[int, SimpleQueue[int]] = {}
        self._ready = threading.Event()
        self._on_end = on_end
        self._lock = threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    def wait_ready(self) -> None:
        if not self._ready.wait(PATIENCE_S):
            raise Impatient("the nursery did not start")

    def fork(self, **asked: Any) -> int:
        """The process id of a new child."""
        number, answer = next(self._numbers), SimpleQueue[int]()
        self._born[number] = answer
        with self._lock:
            assert self.process.stdin is not None
            self.process.stdin.write(json.dumps({"id": number, **asked}).encode() + b"\n")
            self.process.stdin.flush()
        try:
            return answer.get(timeout=PATIENCE_S)
        except Empty:
            raise Impatient(f"no process was forked for {asked['kind']}") from None

    def _listen(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            told = json.loads(line)
            if "ready" in told:
                self._ready.set()
            elif "forked" in told:
                self._born.pop(told["forked"]).put(told["pid"])
            else:
                self._on_end(told["ended"], told["status"])

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(20)


@dataclass
class Member:
    """One process that is kept alive, as a supervisor keeps it."""

    name: str
    bear: Callable[[], int]
    pid: int = 0
    wanted: bool = True
    ended: dict[int, int] = field(default_factory=dict)  # pid -> exit status of those that were

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """The pid it went to."""
        pid = self.pid
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        return pid

    def wait_ended(self, pid: int, seconds: float = PATIENCE_S) -> int:
        """Exit status of one of its processes."""
        wait_for(f"{self.name} {pid} ends", lambda: pid in self.ended, seconds)
        return self.ended[pid]


@dataclass
class Slot:
    """A small host with a worker of its own: one cell at a time happens on it."""

    name: str
    host_id: str
    folder: Path
    worker: Member

    @property
    def disks(self) -> Path:
        return self.folder / "hosts" / self.name

    def guests(self) -> dict[str, dict[str, Any]]:
        """What lies on the host's disk, by guest."""
        found = {}
        for path in (self.disks / "guests").glob("*.json"):
            with suppress(FileNotFoundError, ValueError):
                found[path.stem] = json.loads(path.read_text().partition("\n")[0] or "{}")
        return found

    def things(self) -> set[str]:
        """Ids of guests of which anything at all is there."""
        return set(self.guests()) | {path.name for path in (self.disks / "disks").glob("*")}

    def oddity(self, row: Instance | None) -> str:
        """What else is not as it should be when this server, or none, is all that the host has; or nothing."""
        guest = self.guests().get(row.id, {}) if row else {}
        boots_from = "rescue" if row and row.vm_state == "rescued" else "root"
        if guest.get("boots_from", "root") != boots_from:
            return f"it boots from {guest.get('boots_from')}, not {boots_from}"
        if nics := nics_oddity(guest, row):
            return nics
        if guest and ("rescue" in guest.get("disks", {})) != (boots_from == "rescue"):
            return f"its disks are {guest.get('disks')}"
        if guest.get("kept"):
            return f"kept for nothing: {guest['kept']}"
        return self.oddity_of_moves(row)

    def oddity_of_moves(self, row: Instance | None) -> str:
        """The old disks of a server are there as long as it waits to be confirmed, and nothing else of any move."""
        found = sorted(path.name.partition("~")[0] for path in (self.folder / "hosts" / self.name / "moves").glob("*"))
        wanted = [row.id] if row and row.vm_state == "resized" else []
        return "" if found == wanted else f"kept for moves: {found}"


def nics_oddity(guest: Mapping[str, Any], row: Instance | None) -> str:
    """What is wrong with the ports of a simulated guest, or nothing."""
    wanted = sorted(port["port_id"] for port in row.network_info) if row and guest else []
    if sorted(guest.get("ports", {})) != wanted:
        return f"ports {sorted(guest.get('ports', {}))}, not {wanted}"
    is_on = guest.get("power") in (1, 3)
    return f"nics {guest.get('nics')}, not {wanted}" if is_on and sorted(guest.get("nics", [])) != wanted else ""


class Rig:
    """``with rig(state, slots) as one:`` everything runs."""

    cannot: ClassVar[frozenset[str]] = frozenset()  # verbs that its guests cannot go through

    def __init__(self, state: Path, stores: Stores) -> None:
        self.state, self.stores = state, stores
        self.surroundings = environment(state, stores)
        self.members: dict[str, Member] = {}
        self.slots: list[Slot] = []
        self._arms: dict[str, str] = {}
        self._lock = threading.RLock()
        self.for_all = threading.Lock()  # whoever arms a point of no host in particular holds it
        self._closing = False
        self._returning: threading.Thread | None = None  # who brings the broker back
        (state / "log").mkdir(exist_ok=True)
        self._write_arms()
        self.address = "127.0.0.1"  # of the conductor
        self.port = _free_port()
        self.centre = Nursery("conductor", self.surroundings, state / "log" / "nursery", self._ended)
        self.hosts = Nursery("agent", self.surroundings, state / "log" / "nursery", self._ended)

    # --- processes

    def start(self) -> None:
        self.stores.broker.start()
        self.centre.wait_ready()
        self.hosts.wait_ready()
        log = self.state / "log"
        self._keep(
            "conductor",
            lambda: self.centre.fork(
                kind="conductor", address=self.address, port=self.port, log=str(log / "conductor")
            ),
        )
        self._keep(
            "control",
            lambda: self.centre.fork(
                kind="control", name="control@matrix", queues=["control"], threads=2, log=str(log / "control")
            ),
        )
        self._keep("beat", lambda: self.centre.fork(kind="beat", log=str(log / "beat")))
        self.furnish()

    def furnish(self) -> None:
        """What servers are made of, beside a flavor: a network."""
        from integrations.networks import seeding
        from tests.faults.matrix.requests import MEMBER, NAME

        assert MEMBER.project_id is not None
        seeding.ensure_network(MEMBER.project_id, NAME, CIDR)

    def _keep(self, name: str, bear: Callable[[], int]) -> Member:
        member = self.members[name] = Member(name, bear)
        with self._lock:
            member.pid = bear()
        return member

    def _ended(self, pid: int, status: int) -> None:
        """As a supervisor: whatever ended and is wanted is started again."""
        threading.Thread(target=self._revive, args=(pid, status), daemon=True).start()

    def _revive(self, pid: int, status: int) -> None:
        with self._lock:
            for member in self.members.values():
                if member.pid == pid:
                    member.ended[pid] = status
                    if member.wanted and not self._closing:
                        member.pid = member.bear()
                    return
        # a process that a cell started for itself, or one that was frozen while another took over
        for member in self.members.values():
            member.ended[pid] = status

    def hold(self, name: str) -> None:
        """Kill it and keep it away."""
        with self._lock:
            self.members[name].wanted = False
        pid = self.members[name].kill()
        self.members[name].wait_ended(pid)

    def release(self, name: str) -> None:
        """Start what was held."""
        with self._lock:
            member = self.members[name]
            member.wanted = True
            if not self._closing:
                member.pid = member.bear()

    # --- the broker

    def cut_broker(self, away_s: float) -> None:
        """It crashes, and comes back after so long."""
        self._wait_for_broker()
        self.stores.broker.stop()
        self._returning = threading.Thread(target=self._return_broker, args=(away_s,))
        self._returning.start()

    def flush_broker(self) -> None:
        """It forgets all messages."""
        from operations.models.operation import CONTROL, host_queue, question_queue

        self._wait_for_broker()
        hosts = [host_queue(slot.host_id) for slot in self.slots]
        self.stores.broker.forget([CONTROL, *hosts, *(question_queue(queue) for queue in hosts)])

    def _return_broker(self, away_s: float) -> None:
        time.sleep(away_s)
        self.stores.broker.start()

    def _wait_for_broker(self) -> None:
        """One that was cut is back."""
        if self._returning is not None:
            self._returning.join()

    # --- hosts

    def add_slot(self, number: int) -> Slot:
        """A host that is enrolled, with its worker."""
        name = f"slot{number:02}"
        folder = self.state / "agents" / name
        options = {"vcpus": 64, "ram_mb": 65536, "disk_gb": 1000, "inspect": True, "agents": True}
        host_id = self._enrol(number, name, folder, "fake", options)
        slot = Slot(name, host_id, folder, self._keep_worker(name, host_id, folder))
        self.slots.append(slot)
        return slot

    def _enrol(self, number: int, name: str, folder: Path, driver: str, options: dict[str, Any]) -> str:
        """The host's id; its worker finds in ``folder`` who it is."""
        from hosts.models import Agent, Host
        from tasks.agent.enrolment import write_toml

        folder.mkdir(parents=True)
        agent, secret = Agent.enrol()
        host = Host.objects.create(name=name, number=number + 1, agent=agent, driver=driver)
        identity = {
            "uuid": host.id, "name": name, "secret": secret, "conductor_url": f"http://{self.address}:{self.port}",
        }  # fmt: skip
        write_toml(folder / "identity.toml", {**identity, "driver": driver, "driver_options": options})
        return str(host.id)

    def _keep_worker(
        self, name: str, host_id: str, folder: Path, namespaces: Sequence[str] = (), underlay_address: str = ""
    ) -> Member:
        ours = {
            "COMPUTECLOUD_STATE_DIR": str(folder),
            "COMPUTECLOUD_IDENTITIES": json.dumps([f"{folder}/identity.toml"]),
            "COMPUTECLOUD_UNDERLAY_ADDRESS": underlay_address,
        }
        return self._keep(
            f"worker {name}",
            lambda: self.hosts.fork(
                kind="agent", name=name, queues=[f"host.{host_id}"], threads=2, environment=ours,
                namespaces=list(namespaces), log=str(folder / "log"),
            ),
        )  # fmt: skip

    def wait_hosts(self) -> None:
        from hosts.models import Host

        def all_up() -> bool:
            return all(host.is_up for host in Host.objects.alive().with_liveness())

        wait_for("every host is up", all_up)

    # --- arms

    def arm(self, point: str, scope: str, what: str) -> str:
        """Arm a point; the key of the arm."""
        key = f"{point}/{scope}" if scope else point
        with self._lock:
            self.reached_file(key).unlink(missing_ok=True)
            self._arms[key] = what
            self._write_arms()
        return key

    def disarm(self, key: str) -> None:
        with self._lock:
            if self._arms.pop(key, None) is not None:
                self._write_arms()

    def reached_file(self, key: str) -> Path:
        return self.state / "reached" / key.replace("/", "~")

    def is_reached(self, key: str) -> bool:
        return self.reached_file(key).exists()

    def passed(self, scope: str) -> list[str]:
        """The points that were passed under the arm ``*/scope=note``, in order, each once."""
        path = self.reached_file(f"*/{scope}")
        return list(dict.fromkeys(path.read_text().split())) if path.exists() else []

    def _write_arms(self) -> None:
        fresh = self.state / "arms.new"
        fresh.write_text("".join(f"{key}={what}\n" for key, what in self._arms.items()))
        fresh.replace(self.state / "arms")

    # --- the end

    def close(self) -> None:
        self._closing = True
        for member in self.members.values():
            with suppress(ProcessLookupError):
                os.kill(member.pid, signal.SIGCONT)
        self.hosts.close()
        self.centre.close()
        self._wait_for_broker()


@contextmanager
def rig(state: Path, stores: Stores, slots: int, kind: type[Rig] = Rig) -> Iterator[Rig]:
    """A control plane and so many hosts."""
    one = kind(state, stores)
    try:
        one.start()
        for number in range(slots):
            one.add_slot(number)
        one.wait_hosts()
        yield one
    finally:
        one.close()


def remove(state: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)


def _free_port() -> int:
    from deploy.cloud import free_port

    return int(free_port())
