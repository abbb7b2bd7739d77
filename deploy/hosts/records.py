"""What is remembered of the local hosts: ``<state>/hosts/hosts.json``: the underlay, each host's uuid and number."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from deploy.hosts.layout import MOST_HOSTS, OF_A_MACHINE, BadHosts, Host, Underlay, bridge_name, check_name, leg_name


@dataclass(slots=True)
class Records:
    """The hosts of one state folder, in the order they were first named: a host keeps its number and uuid.

    ``machine_address``: the machine as a whole is the one host, at this address of its own; there is no underlay.
    """

    state_dir: Path
    cidr: str | None = None
    uuids: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    machine_address: str = ""

    @property
    def folder(self) -> Path:
        return self.state_dir / "hosts"

    @property
    def underlay(self) -> Underlay:
        if self.cidr is None:
            raise BadHosts(f"no hosts were ever made below {self.state_dir}")
        return Underlay(bridge_name(self.state_dir), self.cidr)

    def add(self, names: Sequence[str]) -> None:
        """Remember new names, each with a fresh uuid; known ones stay as they are."""
        for name in names:
            self.uuids.setdefault(check_name(name), str(uuid4()))
            if name not in self.numbers:
                self.numbers[name] = min(set(range(len(self.numbers) + 1)) - set(self.numbers.values()))
        if len(self.uuids) > MOST_HOSTS:
            raise BadHosts(f"more than {MOST_HOSTS} hosts on one machine")

    def forget(self, name: str) -> None:
        """The name, its uuid and its number are free; the others keep theirs."""
        self.uuids.pop(name, None)
        self.numbers.pop(name, None)

    def host(self, name: str) -> Host:
        """The host called ``name``. Raises BadHosts."""
        if name not in self.uuids:
            known = ", ".join(self.uuids) or "none"
            raise BadHosts(f"there is no host {name!r} below {self.state_dir}; known: {known}")
        number = self.numbers[name]
        if self.machine_address:
            return Host(
                name=name, number=number, uuid=self.uuids[name], address=self.machine_address, gateway="",
                folder=self.folder / name, leg="", kinds=OF_A_MACHINE,
            )  # fmt: skip
        underlay = self.underlay
        return Host(
            name=name,
            number=number,
            uuid=self.uuids[name],
            address=underlay.address(number),
            gateway=underlay.gateway,
            folder=self.folder / name,
            leg=leg_name(self.state_dir, number),
        )

    def hosts(self) -> list[Host]:
        return [self.host(name) for name in self.uuids]

    def save(self) -> None:
        """Write the file so that a reader, or a crash, sees the old or the new one."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o711)
        target = self.folder / "hosts.json"
        part = target.with_suffix(".part")
        with part.open("w") as out:
            facts = {
                "cidr": self.cidr, "uuids": self.uuids, "numbers": self.numbers,
                "machine_address": self.machine_address,
            }  # fmt: skip
            json.dump(facts, out, indent=1)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)


def load(state_dir: Path) -> Records:
    """The records of ``state_dir``, empty when it has none yet."""
    state_dir = state_dir.resolve()
    target = state_dir / "hosts" / "hosts.json"
    if not target.exists():
        return Records(state_dir)
    found = json.loads(target.read_text())
    # Before hosts could be removed, their order was their number.
    numbers = found.get("numbers") or {name: number for number, name in enumerate(found["uuids"])}
    return Records(state_dir, found["cidr"], found["uuids"], numbers, found.get("machine_address", ""))
