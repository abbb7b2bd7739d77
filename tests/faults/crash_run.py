"""The crash run: members create, list and delete while everything beneath them is killed with -9 at random.

    .venv/bin/python -m tests.faults.crash_run --stores sqlite+redis
    .venv/bin/python -m tests.faults.crash_run --stores postgresql+rabbitmq
    .venv/bin/python -m tests.faults.crash_run --real

Afterwards everything that was promised must have come true, and the books, the hosts and the clients' own notes must
agree to the last row. Exit status 0 only then. What is killed when comes from ``--seed``; how far the victims had come
is the machine's affair.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import tomllib
from collections import Counter
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from deploy import cloud as clouds
from deploy import hosts as local_hosts
from tests.support.books import Books
from tests.support.fault_cloud import CHECKOUT, FaultCloud
from tests.support.inspection import FakeHosts, Inspection, RealHosts
from tests.support.members import SERVERS, Ledger, Member
from tests.support.stores import OPENERS, SQLITE, PostgresRabbit, Stores

SETTLE_S = 180
AIM_S = 1.0
PATIENCE_S = 1.0
SLOW_TO_RETURN = ("database", "beat")  # killed only when the dice say so, not for want of others
AIMED = 0.85  # of all kills wait (a little) for the victim to be at work; the others fall where they fall
STEP_S = 0.12  # simulated time of each step on a fake host
WORK = "SELECT id FROM operations_operation WHERE "


@dataclass(frozen=True)
class Victim:
    """``at_work()``: ids of what is open at it now: operations, or requests that clients wait for."""

    name: str
    weight: int
    kill: Callable[[], None]
    at_work: Callable[[], set[str]]
    is_up: Callable[[], bool]


@dataclass
class Kill:
    victim: str
    at: float
    open: set[str]


@dataclass(frozen=True)
class Recovery:
    """From a kill to the end of the last operation that was open at its victim, later kills included."""

    took_s: float
    victim: str
    operation: str


@dataclass
class Run:
    """One cloud under fire."""

    asked: argparse.Namespace
    cloud: FaultCloud
    stores: Stores
    books: Books
    ledger: Ledger = field(default_factory=Ledger)
    kills: list[Kill] = field(default_factory=list)
    locks: int = 0  # times that somebody else held SQLite's write lock
    helpers: list[threading.Thread] = field(default_factory=list)

    # --- who may die, and what is open at it

    def victims(self) -> list[Victim]:
        found = [
            self._process("api", 4, lambda: set(self.ledger.in_flight), self._listens("api.sock")),
            # its callers' operations: a report that it was writing is lost with it
            self._process("conductor", 3, lambda: self._operations("state = 'running'"), self._conductor_listens),
            # placements that wait for it, or that it was making
            self._process("control", 4, lambda: self._operations("queue = 'control' AND state = 'pending'")),
            self._process("beat", 1, set),
            Victim("broker", 2, self._kill_broker, lambda: self._operations("state = 'pending'"), self._broker_up),
        ]
        if isinstance(self.stores, PostgresRabbit):
            found.append(Victim("database", 2, self._kill_database, self._anything, self._database_up))
        for name, hosts in self.agents().items():
            found.append(self._agent(name, hosts))
        return found

    def _agent(self, name: str, hosts: list[str]) -> Victim:
        marks = ", ".join("?" for _ in hosts)

        def at_work() -> set[str]:
            return self._operations(f"state = 'running' AND host_id IN ({marks})", *hosts)

        def knows_the_conductor() -> bool:
            """Registered since its start: what runs on its hosts runs in this very process."""
            query = (
                "SELECT registered_at FROM hosts_agent JOIN hosts_host ON agent_id = hosts_agent.id "
                "WHERE hosts_host.id = ?"
            )
            rows = self.books.try_ask(query, hosts[0])
            return bool(rows) and self.books.moment(rows[0][0]) > time.time() - self._age_s(name)

        return self._process(name, 6, at_work, knows_the_conductor)

    def agents(self) -> dict[str, list[str]]:
        """Agent processes and the ids of the hosts they stand for."""
        rows = self.books.ask("SELECT id, name FROM hosts_host WHERE deleted_at IS NULL")
        if self.asked.real:
            return {f"compute@{name}": [host_id] for host_id, name in rows}
        return {"compute@fake": [host_id for host_id, _name in rows]}

    def _process(
        self, name: str, weight: int, at_work: Callable[[], set[str]], serves: Callable[[], bool] | None = None
    ) -> Victim:
        """``serves``: how it is seen that it works again; without it, that it has run for a few seconds."""
        is_up = serves or (lambda: self._age_s(name) > 4.0)
        return Victim(name, weight, lambda: self.cloud.kill(name), at_work, lambda: self._age_s(name) > 0 and is_up())

    def _age_s(self, name: str) -> float:
        """Since the process started; 0 when there is none."""
        try:
            stat = Path(f"/proc/{self.cloud.pid(name)}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError, ValueError):
            return 0.0
        started = int(stat.rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(Path("/proc/uptime").read_text().split()[0]) - started

    def _listens(self, name: str) -> Callable[[], bool]:
        def look() -> bool:
            with socket.socket(socket.AF_UNIX) as line:
                return line.connect_ex(str(self.cloud.state / "run" / name)) == 0

        return look

    def _conductor_listens(self) -> bool:
        where = urlsplit(tomllib.loads((self.cloud.state / "etc" / "computecloud.conf").read_text())["conductor_url"])
        with socket.socket() as line:
            line.settimeout(1)
            return line.connect_ex((where.hostname, where.port)) == 0

    def _operations(self, which: str, *values: str) -> set[str]:
        rows = self.books.try_ask(WORK + which, *values)
        return {row[0] for row in rows or ()}

    def _anything(self) -> set[str]:
        return self._operations("state IN ('pending', 'running')") | set(self.ledger.in_flight)

    def _kill_broker(self) -> None:
        self.stores.kill_broker()

    def _broker_up(self) -> bool:
        if isinstance(self.stores, PostgresRabbit):
            return self.stores.broker.answers()
        return self._listens("redis.sock")()

    def _kill_database(self) -> None:
        assert isinstance(self.stores, PostgresRabbit)
        self.stores.database.kill()
        self._help(self.stores.database.start)

    def _database_up(self) -> bool:
        return self.books.try_ask("SELECT 1") is not None

    def _help(self, work: Callable[..., None], *words: Any) -> None:
        helper = threading.Thread(target=work, args=words, daemon=True)
        helper.start()
        self.helpers.append(helper)

    # --- the two minutes

    def fire(self) -> None:
        dice = random.Random(self.asked.seed)
        members = self._members()
        for member in members:
            member.start()
        start = time.monotonic()
        moments = sorted(dice.uniform(3, self.asked.seconds - 1) for _ in range(self.asked.kills))
        for moment in moments:
            time.sleep(max(0.0, start + moment - time.monotonic()))
            if self.stores.name == SQLITE and dice.random() < 0.05:
                self.locks += 1
                self._help(self.stores.disturb_database, dice.uniform(0.5, 2.5))
            self._kill_one(dice)
        time.sleep(max(0.0, start + self.asked.seconds - time.monotonic()))
        for member in members:
            member.ended.set()
        for thread in [*members, *self.helpers]:
            thread.join(90)
        self.kept = {server for member in members for server in member.mine}

    def _members(self) -> list[Member]:
        found = []
        network = self.cloud.get("/network/v2.0/networks?name=private-net")["networks"][0]["id"]
        server = {"flavorRef": self.cloud.flavor, "imageRef": self.cloud.image, "networks": [{"uuid": network}]}
        for number in range(self.asked.members):
            member = Member(
                number, self.asked.seed, self.cloud.call, server, self.ledger, self.asked.most, self.asked.pause
            )
            found.append(member)
        return found

    def _kill_one(self, dice: random.Random) -> None:
        victims = self.victims()
        chosen = dice.choices(victims, [one.weight for one in victims])[0]
        aims = dice.random() < AIMED
        luck = dice.random()
        until = time.monotonic() + PATIENCE_S
        while not chosen.is_up():
            others = [one for one in victims if one.name not in SLOW_TO_RETURN and one.is_up()]
            if others:
                chosen = others[int(luck * len(others))]
            elif time.monotonic() > until:
                return
            else:
                time.sleep(0.05)
        until = time.monotonic() + AIM_S
        found = chosen.at_work()
        while aims and not found and time.monotonic() < until:
            time.sleep(0.01)
            found = chosen.at_work()
        try:
            chosen.kill()
        except ProcessLookupError:
            return
        self.kills.append(Kill(chosen.name, time.time(), found))

    # --- afterwards

    def settle(self) -> float:
        """Seconds until nothing was open any more, at most ``SETTLE_S``."""
        began = time.monotonic()
        while time.monotonic() - began < SETTLE_S and self.books.open_operations():
            time.sleep(0.2)
        return time.monotonic() - began

    def verify(self) -> dict[str, list[str]]:
        """What is wrong, by kind; every list must be empty."""
        rows = self.books.ask(
            "SELECT id, name, deleted_at, task_state, vm_state, open_operation FROM instances_instance"
        )
        by_id = {row[0]: row for row in rows}
        created, deleted = self.ledger.created, self.ledger.deleted
        lost = [f"create {name} {server}" for server, name in created.items() if server not in by_id]
        lost += [f"delete {server}" for server in deleted if server in by_id and by_id[server][2] is None
                 and not by_id[server][5] and by_id[server][4] != "error"]  # fmt: skip
        stuck = [f"operation {one}" for one in self.books.open_operations()]
        stuck += [
            f"server {row[1]} {row[0]} {row[4]}/{row[3]}" for row in rows if row[2] is None and (row[3] or row[5])
        ]
        names = Counter(row[1] for row in rows)
        doubled = [f"name {name}" for name, times in names.items() if times > 1] + self.inspection.doubled()
        return {"lost": lost, "stuck": stuck, "doubled": doubled, "left over": self.left_over()}

    @property
    def inspection(self) -> Inspection:
        if not self.asked.real:
            return FakeHosts(self.cloud.state)
        return RealHosts(self.cloud.state, {one.name: list(one.enter) for one in local_hosts.hosts(self.cloud.state)})

    def left_over(self) -> list[str]:
        """Looked at until hosts and books agree, for as long as the reconciler may need (two sightings)."""
        until = time.monotonic() + 120
        while (found := self._differences()) and time.monotonic() < until:
            time.sleep(1)
        return found

    def _differences(self) -> list[str]:
        looks = self.inspection
        placed = {row[0] for row in self.books.ask(
            "SELECT id FROM instances_instance WHERE deleted_at IS NULL AND host_id IS NOT NULL")}  # fmt: skip
        guests, disks = set(looks.guests()), looks.disks()
        found = [f"guest {one} has no row" for one in guests - placed]
        found += [f"server {one} has no guest" for one in placed - guests]
        found += [f"disks of {one} have no row" for one in disks - placed]
        found += [f"server {one} has no disks" for one in placed - disks]
        held = len(self.books.ask(
            "SELECT id FROM networks_port WHERE device_id IN (SELECT id FROM instances_instance "
            "WHERE deleted_at IS NULL AND host_id IS NOT NULL)"))  # fmt: skip
        if len(looks.ports()) != held:
            found.append(f"{len(looks.ports())} network cards on hosts, {held} ports in rows")
        if isinstance(looks, RealHosts) and len(looks.dhcp_entries()) != held:
            found.append(f"{len(looks.dhcp_entries())} DHCP entries on hosts, {held} ports in rows")
        audit = self.cloud.manage("audit")
        return found if audit.returncode == 0 else [*found, *audit.stdout.splitlines(), audit.stderr[-2000:]]

    def empty(self) -> list[str]:
        """Members delete what they still have; nothing may be left then."""
        for row in self.books.ask("SELECT id FROM instances_instance WHERE deleted_at IS NULL"):
            self.cloud.call("DELETE", f"{SERVERS}/{row[0]}")
        self.settle()
        left = [
            f"server {row[0]}" for row in self.books.ask("SELECT id FROM instances_instance WHERE deleted_at IS NULL")
        ]
        used = self.books.ask(
            "SELECT resource, used FROM operations_quotagate "
            "WHERE used <> 0 AND resource IN ('instances', 'cores', 'ram_mb')"
        )
        held = self.books.ask("SELECT consumer_id FROM hosts_allocation")
        left += [f"quota {row}" for row in used] + [f"allocation {row[0]}" for row in held]
        return left + self.left_over()

    def recoveries(self) -> list[Recovery]:
        """For each kill: until the last operation that was open at its victim had ended."""
        rows = self.books.ask("SELECT id, finished_at, verb, state, attempt FROM operations_operation")
        known = {row[0]: row for row in rows if row[1] is not None}
        found = []
        for kill in self.kills:
            ends = [(self.books.moment(known[one][1]) - kill.at, one) for one in kill.open if one in known]
            if ends:
                took_s, last = max(ends)
                _id, _ended, verb, state, attempt = known[last]
                found.append(Recovery(took_s, kill.victim, f"{verb} {last} {state} at attempt {attempt}"))
        return sorted(found, key=lambda one: -one.took_s)


def quotas(cloud: FaultCloud) -> None:
    """Room for all members."""
    admin = copy(cloud)
    admin.login("admin")
    project = admin.get("/identity/v3/projects?name=demo")["projects"][0]["id"]
    wanted = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    status, body = admin.call("PUT", f"/compute/v2.1/os-quota-sets/{project}", wanted)
    assert status == 200, body
    status, body = admin.call("PUT", f"/network/v2.0/quotas/{project}", {"quota": {"port": -1}})
    assert status == 200, body


def slow_down(cloud: FaultCloud) -> None:
    """Fake hosts take their time and make files for disks; their agent starts anew with that."""
    for path in cloud.state.glob("data/identities/*/identity.toml"):
        text = path.read_text()
        assert "[driver_options]" not in text or text.rstrip().endswith("[driver_options]"), text
        text = text if "[driver_options]" in text else text + "\n[driver_options]\n"
        path.write_text(text + f'inspect = true\n[driver_options.delays]\n"*" = {STEP_S}\n')
    cloud.kill("compute@fake")


def report(run: Run, settled_s: float, wrong: dict[str, list[str]], left: list[str]) -> dict[str, Any]:
    recoveries = run.recoveries()
    with_work = [kill for kill in run.kills if kill.open]
    figures: dict[str, Any] = {
        "stores": run.stores.name,
        "hosts": "two real" if run.asked.real else f"{run.asked.fake} fake",
        "seed": run.asked.seed,
        "seconds": run.asked.seconds,
        "requests": run.ledger.requests,
        "requests accepted": run.ledger.accepted,
        "creates accepted": len(run.ledger.created),
        "deletes accepted": len(run.ledger.deleted),
        "lists": run.ledger.lists,
        "requests without an answer or with 5xx": run.ledger.unavailable,
        "500s": len(run.ledger.errors),
        "kills": len(run.kills),
        "kills with work open": len(with_work),
        "kills by victim (with work open)": {
            name: f"{times} ({sum(1 for kill in with_work if kill.victim == name)})"
            for name, times in sorted(Counter(kill.victim for kill in run.kills).items())
        },
        "times SQLite was locked": run.locks,
        "longest recoveries": [f"{one.took_s:.1f} s: {one.victim}, {one.operation}" for one in recoveries[:3]],
        "median recovery s": round(recoveries[len(recoveries) // 2].took_s, 1) if recoveries else None,
        "quiet after s": round(settled_s, 1),
        **{kind: len(found) for kind, found in wrong.items()},
        "left after all was deleted": len(left),
    }
    errors = run.books.ask("SELECT fault_message, COUNT(*) FROM instances_instance WHERE vm_state = 'error' GROUP BY 1")
    figures["servers in ERROR"] = {str(row[0])[:90]: row[1] for row in errors}
    return figures


def bring_up(asked: argparse.Namespace, stores: Stores) -> FaultCloud:
    kind = ["--no-guest"] if asked.real else ["--fake", str(asked.fake)]
    command = [
        str(CHECKOUT / "cloud"),
        "up",
        *kind,
        "--state",
        str(asked.state),
        "--port",
        str(asked.port),
        *stores.up_options,
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COMPUTECLOUD_")}
    subprocess.run(command, env=environment, check=True, stdout=sys.stderr)
    cloud = FaultCloud(asked.state, asked.port, *(("computecloud-guest", "m1.tiny") if asked.real else ()))
    stores.cloud = cloud
    return cloud


def main() -> int:
    parser = argparse.ArgumentParser(prog="tests.faults.crash_run", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--stores", choices=sorted(OPENERS), default=SQLITE)
    parser.add_argument("--real", action="store_true", help="two real libvirt hosts; needs root")
    parser.add_argument("--fake", type=int, default=20, metavar="N")
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--kills", type=int, default=95, help="how many are tried")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--members", type=int, default=0)
    parser.add_argument("--state", type=Path, default=Path("/tmp/cc-crash-run"))
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--least-kills", type=int, default=80)
    parser.add_argument("--least-at-work", type=int, default=60)
    parser.add_argument("--logs", type=Path, metavar="DIR", help="keep what the processes wrote, and SQLite's file")
    asked = parser.parse_args()
    asked.port = asked.port or clouds.free_port()
    asked.members = asked.members or (4 if asked.real else 8)
    asked.most, asked.pause = (2, 0.5) if asked.real else (8, 0.3)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    if asked.state.exists():
        parser.error(f"{asked.state} exists; give another --state")
    with OPENERS[asked.stores]() as stores:
        try:
            return crash_run(asked, stores)
        finally:
            if asked.logs:
                shutil.copytree(asked.state / "log", asked.logs, dirs_exist_ok=True)
                for path in (asked.state / "data").glob("cloud.sqlite3*"):
                    shutil.copy(path, asked.logs)
            subprocess.run([str(CHECKOUT / "cloud"), "down", "--purge", "--state", str(asked.state)], stdout=sys.stderr)
            shutil.rmtree(asked.state, ignore_errors=True)


def crash_run(asked: argparse.Namespace, stores: Stores) -> int:
    cloud = bring_up(asked, stores)
    quotas(cloud)
    if not asked.real:
        slow_down(cloud)
        time.sleep(6)
    run = Run(asked, cloud, stores, Books(stores.books_url))
    run.fire()
    settled_s = run.settle()
    wrong = run.verify()
    figures = report(run, settled_s, wrong, [])
    left = run.empty()
    figures["left after all was deleted"] = len(left)
    print(json.dumps(figures, indent=2))
    for kind, found in [*wrong.items(), ("left at the end", left), ("500", run.ledger.errors)]:
        for line in found[:20]:
            print(f"{kind}: {line}")
    enough = len(run.kills) >= asked.least_kills and figures["kills with work open"] >= asked.least_at_work
    if not enough:
        print(f"too few kills: {asked.least_kills} are asked for, {asked.least_at_work} of them with work open")
    return 0 if enough and not any(wrong.values()) and not left and not run.ledger.errors else 1


if __name__ == "__main__":
    sys.exit(main())
