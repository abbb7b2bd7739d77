"""Names, addresses and folders of the local compute hosts: pure values, nothing is changed here."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}\Z")
NAMESPACES = ("net", "mnt", "uts")
OF_A_MACHINE = ("mnt", "uts")  # a machine that is one host keeps its own network
# Folders that every host has for itself: where they lie in the host's view, and below its own folder.
PRIVATE_FOLDERS = {
    "/run/libvirt": "run",
    "/var/lib/libvirt": "lib",
    "/var/cache/libvirt": "cache",
    "/etc/libvirt": "etc",
    "/var/log/libvirt": "log",
    "/run/computecloud-dhcp": "dhcp",
}
FIRST_HOST = 11  # the first host is .11 of the underlay, the bridge .1
MOST_HOSTS = 200
INSIDE_DEVICE = "underlay0"


class BadHosts(Exception):
    """What was asked of the local hosts cannot be done; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Underlay:
    """The hosts' own network of one state folder: a bridge on the machine and one leg in each host."""

    bridge: str
    cidr: str

    @property
    def gateway(self) -> str:
        """The machine's own address on the bridge: here the hosts reach broker and conductor."""
        return str(IPv4Network(self.cidr)[1])

    def address(self, number: int) -> str:
        """The address of host ``number`` (from 0)."""
        return str(IPv4Network(self.cidr)[FIRST_HOST + number])

    @property
    def prefix(self) -> int:
        return IPv4Network(self.cidr).prefixlen


@dataclass(frozen=True, slots=True)
class Host:
    """One compute host of this machine: namespaces of its own, private libvirt folders, a leg in the underlay."""

    name: str
    number: int
    uuid: str
    address: str
    gateway: str  # "" for the one host that a machine is as a whole
    folder: Path
    leg: str  # the machine's end of the veth
    kinds: tuple[str, ...] = NAMESPACES  # the namespaces it has for itself

    def namespace(self, kind: str) -> Path:
        """The file that holds the namespace ``kind`` (net, mnt, uts)."""
        return self.folder.parent / "ns" / f"{self.name}.{kind}"

    @property
    def enter(self) -> list[str]:
        """The command prefix that runs a program on this host."""
        flags = {"net": "--net", "mnt": "--mount", "uts": "--uts"}
        return ["nsenter", *(f"{flags[kind]}={self.namespace(kind)}" for kind in self.kinds), "--"]

    @property
    def socket(self) -> Path:
        """libvirtd's socket as the machine outside sees it."""
        return self.folder / "run" / "libvirt-sock"

    @property
    def uri(self) -> str:
        """libvirt URI that reaches this host from outside its namespaces."""
        return f"qemu:///system?socket={self.socket}"

    @property
    def libvirtd(self) -> list[str]:
        """Run libvirtd on this host in the foreground."""
        return self._daemon("libvirtd")

    @property
    def virtlogd(self) -> list[str]:
        """Run virtlogd on this host in the foreground."""
        return self._daemon("virtlogd")

    def _daemon(self, name: str) -> list[str]:
        files = ["--config", f"/etc/libvirt/{name}.conf", "--pid-file", f"/run/libvirt/{name}.pid"]
        return [*self.enter, name, *files]


def short_hash(state_dir: Path) -> str:
    """Six characters that stand for a state folder in the names of its devices."""
    return hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:6]


def bridge_name(state_dir: Path) -> str:
    return f"cc{short_hash(state_dir)}br"


def leg_name(state_dir: Path, number: int) -> str:
    return f"cc{short_hash(state_dir)}h{number}"


def check_name(name: str) -> str:
    """``name`` when it may be a host's name. Raises BadHosts."""
    if not NAME.match(name):
        raise BadHosts(f"{name!r} cannot be a host's name: use a letter, then at most 30 letters, digits and dashes")
    return name


def address_in(cidr: str, address: str) -> bool:
    return IPv4Address(address) in IPv4Network(cidr)
