"""What really lies on the hosts, looked at past the product: domains, disks, taps, DHCP entries."""

from __future__ import annotations

import json
import subprocess
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

from hosts.plumbing.dhcp_server import RUN_DIR


class Inspection(ABC):
    @abstractmethod
    def guests(self) -> list[str]:
        """Ids of all guests on all hosts; one that is on two hosts comes twice."""

    @abstractmethod
    def ports(self) -> list[str]:
        """Names of the port of each network card that a host holds; one that is held twice comes twice."""

    @abstractmethod
    def disks(self) -> set[str]:
        """Ids of guests that have files on a host."""

    def doubled(self) -> list[str]:
        return [name for name, times in Counter([*self.guests(), *self.ports()]).items() if times > 1]


class FakeHosts(Inspection):
    """Simulated hosts: one JSON file a guest, one empty file a disk."""

    def __init__(self, state: Path) -> None:
        self.hosts = sorted((state / "data" / "agent-fake" / "hosts").iterdir())

    def _files(self) -> dict[Path, dict[str, object]]:
        """What each file's first line says; {} for one that was begun only."""
        found = {}
        for host in self.hosts:
            for path in (host / "guests").glob("*.json"):
                try:
                    line, ended, _rest = path.read_text().partition("\n")
                except FileNotFoundError:  # it went meanwhile
                    continue
                found[path] = json.loads(line) if ended else {}
        return found

    def guests(self) -> list[str]:
        return [path.stem for path in self._files()]

    def ports(self) -> list[str]:
        return [port for one in self._files().values() for port in one.get("ports", {})]  # type: ignore[attr-defined]

    def disks(self) -> set[str]:
        return {path.name for host in self.hosts for path in (host / "disks").glob("*")}


class RealHosts(Inspection):
    """libvirt's own list, the folders of disks, the kernel's taps and dnsmasq's files."""

    def __init__(self, state: Path, enter: dict[str, list[str]]) -> None:
        self.state, self.enter = state, enter  # host name -> the command that enters its namespaces

    def on(self, name: str, *command: str) -> str:
        """What the command writes, run on that host. Raises CalledProcessError."""
        return subprocess.run([*self.enter[name], *command], capture_output=True, text=True, check=True).stdout

    def guests(self) -> list[str]:
        found = []
        for name in self.enter:
            for line in self.on(name, "virsh", "-q", "list", "--all", "--uuid").splitlines():
                found += [line.strip()] if line.strip() else []
        return found

    def ports(self) -> list[str]:
        """Taps, by device name."""
        found = []
        for name in self.enter:
            links = json.loads(self.on(name, "ip", "-j", "-d", "link", "show") or "[]")
            found += [one["ifname"] for one in links if one.get("linkinfo", {}).get("info_kind") == "tun"]
        return found

    def disks(self) -> set[str]:
        return {path.name for path in self.state.glob("data/agent-*/hosts/*/instances/*")}

    def dhcp_entries(self) -> list[str]:
        """Lines of the dnsmasq hosts files, which lie where only the host itself sees them."""
        read = f"cat {RUN_DIR}/*/*/hosts 2>/dev/null || true"
        return [line for name in self.enter for line in self.on(name, "sh", "-c", read).splitlines()]
