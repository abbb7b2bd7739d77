"""The DHCP server of one network on one host: a dnsmasq in a network namespace of its own.

The namespace lives exactly as long as the process. It keeps the tenants' addresses out of the host's own network
stack, where a subnet chosen like the underlay would take the host's traffic.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import select
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from computecloud.core.command import run
from hosts.drivers.errors import Transient
from hosts.drivers.specs import NetworkSpec, NicSpec
from hosts.plumbing import dhcp_files, links, names
from hosts.plumbing.links import Link
from hosts.plumbing.records import write_whole

RUN_DIR = Path("/run/computecloud-dhcp")  # dnsmasq, no longer root, must be able to read below it
END_S = 5.0
LONGEST_LOG = 1_000_000


class DhcpServer:
    """dnsmasq for one network; ``state_dir`` tells this host's files from those of other hosts of this machine."""

    def __init__(self, network_id: str, state_dir: Path) -> None:
        self.network_id = names.checked_id(network_id)
        host = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]
        self.folder = RUN_DIR / host / self.network_id

    def ensure(self, network: NetworkSpec, ports: Sequence[NicSpec], seen: dict[str, Link]) -> None:
        """The server runs, is joined to the bridge and knows exactly ``ports``.

        A change of ports starts it anew. SIGHUP would not do: dnsmasq 2.90 frees tags of the stack when it reads its
        hosts again after an answer to one of them, and dies; and it would keep its lease of an address for a MAC
        that the address no longer belongs to. Every address is fixed, so a new server knows all that the old one did.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o755)
        for folder in (self.folder, self.folder.parent, RUN_DIR):
            folder.chmod(0o755)
        self._shorten_log()
        wanted = {
            "dnsmasq.conf": dhcp_files.configuration(network, self.folder, _user()),
            "hosts": dhcp_files.hosts(ports),
            "options": dhcp_files.options(ports),
        }
        changed = {name: text for name, text in wanted.items() if not self._holds(name, text)}
        if changed:
            self.end()  # first: after a crash in between, no server runs on files it has not read
        for name, text in changed.items():
            write_whole(self.folder / name, text.encode(), mode=0o644)
        pid = self.pid()
        if pid is None:
            pid = self._start()
        self._join(network, pid, seen)

    def pid(self) -> int | None:
        """The process id, when the process that our pid file names is our dnsmasq."""
        try:
            pid = int((self.folder / "pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if f"--conf-file={self.folder / 'dnsmasq.conf'}".encode() in words else None

    def end(self) -> None:
        """The server has ended, and with it its namespace; only the process that our pid file names is touched."""
        pid = self.pid()
        if pid is not None:
            _end(pid)
        (self.folder / "pid").unlink(missing_ok=True)

    def remove(self) -> None:
        self.end()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # other networks of this host are still there
            self.folder.parent.rmdir()

    def _start(self) -> int:
        """dnsmasq returns when it is ready and has written its pid file."""
        run(["unshare", "--net", "--", "dnsmasq", f"--conf-file={self.folder / 'dnsmasq.conf'}"], timeout_s=20)
        pid = self.pid()
        if pid is None:
            raise Transient(f"the DHCP server of network {self.network_id} did not stay")
        return pid

    def _join(self, network: NetworkSpec, pid: int, seen: dict[str, Link]) -> None:
        """A pair of devices leads from the bridge into the server's namespace."""
        leg, bridge = names.dhcp_leg(network.id), names.bridge(network.id)
        if leg in seen and seen[leg].bridge == bridge and seen[leg].is_up and self._is_joined(pid):
            return
        links.remove(*({leg} & links.read().keys()))  # it may have gone with an ended server meanwhile
        mtu = names.checked_mtu(network.mtu)
        peer = f"peer name {dhcp_files.DEVICE} address {names.dhcp_mac(network.id)} mtu {mtu} netns {pid}"
        links.change([f"link add name {leg} mtu {mtu} type veth {peer}"])
        links.quiet(leg)
        address = names.checked_address(network.dhcp_address or "")
        prefix = names.checked_cidr(dhcp_files.own_cidr(network)).prefixlen
        device = dhcp_files.DEVICE
        inside = [f"link set dev {device} addrgenmode none", f"address add {address}/{prefix} dev {device}"]
        inside.append(f"link set dev {device} up")
        links.change(inside, inside=pid)
        links.change([f"link set dev {leg} master {bridge} up alias {names.network_mark(network.id)}"])
        (self.folder / "joined").write_text(str(pid))

    def _is_joined(self, pid: int) -> bool:
        """Did a pair of devices get into this process's namespace? A pair lives as long as both its ends."""
        joined = self.folder / "joined"
        return joined.exists() and joined.read_text() == str(pid)

    def _shorten_log(self) -> None:
        """dnsmasq appends some lines for each change of ports; nobody else would ever cut them."""
        log = self.folder / "log"
        if log.exists() and log.stat().st_size > LONGEST_LOG:
            os.truncate(log, 0)

    def _holds(self, name: str, text: str) -> bool:
        file = self.folder / name
        return file.exists() and file.read_text() == text


def _user() -> str:
    """Whom dnsmasq becomes after its start."""
    for name in ("dnsmasq", "nobody"):
        try:
            return pwd.getpwnam(name).pw_name
        except KeyError:
            continue
    return "root"


def _end(pid: int) -> None:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for how in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(watched, how)
            poll = select.poll()
            poll.register(watched, select.POLLIN)
            if poll.poll(END_S * 1000):
                return
    except ProcessLookupError:
        return
    finally:
        os.close(watched)
