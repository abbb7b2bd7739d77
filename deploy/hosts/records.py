"""What is remembered of the local hosts: ``<state>/hosts/hosts.json`` with the underlay and each host's uuid."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from deploy.hosts.layout import MOST_HOSTS, BadHosts, Host, Underlay, bridge_name, check_name, leg_name


@dataclass(slots=True)
class Records:
    """The hosts of one state folder, in the order they were first named: a host keeps its number and uuid."""

    state_dir: Path
    cidr: str | None = None
    uuids: dict[str, str] = field(default_factory=dict)

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
        if len(self.uuids) > MOST_HOSTS:
            raise BadHosts(f"more than {MOST_HOSTS} hosts on one machine")

    def host(self, name: str) -> Host:
        """The host called ``name``. Raises BadHosts."""
        if name not in self.uuids:
            known = ", ".join(self.uuids) or "none"
            raise BadHosts(f"there is no host {name!r} below {self.state_dir}; known: {known}")
        number = list(self.uuids).index(name)
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
            json.dump({"cidr": self.cidr, "uuids": self.uuids}, out, indent=1)
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
    return Records(state_dir, found["cidr"], found["uuids"])
