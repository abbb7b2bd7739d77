"""Configuration and life of a local host's libvirtd and virtlogd."""

from __future__ import annotations

import os
import select
import socket
from contextlib import suppress
from pathlib import Path

from computecloud.core.command import CommandFailed, run, start_detached
from deploy.hosts.layout import PRIVATE_FOLDERS, Host

LIBVIRTD_CONF = """\
host_uuid = "{uuid}"
listen_tls = 0
listen_tcp = 0
unix_sock_rw_perms = "0700"
unix_sock_ro_perms = "0700"
auth_unix_ro = "none"
auth_unix_rw = "none"
max_clients = 200
log_outputs = "3:stderr"
"""
# Guests run as root of this machine without a security driver: hosts in namespaces are for trial and demonstration.
QEMU_CONF = """\
user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "logd"
remember_owner = 0
vnc_listen = "{address}"
migration_address = "{address}"
migration_host = "{address}"
"""
VIRTLOGD_CONF = """\
max_size = 2097152
max_backups = 1
log_outputs = "3:stderr"
"""
# No name server is reachable from a host; one that refuses at once spares every look-up its 10 s of waiting.
RESOLV_CONF = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


def write_configuration(host: Host, others: dict[str, str]) -> None:
    """Write the host's files. ``others`` are all hosts of this state folder, name -> address."""
    for name in PRIVATE_FOLDERS.values():
        (host.folder / name).mkdir(parents=True, exist_ok=True)
    for name in ("run", "dhcp"):
        (host.folder / name).chmod(0o755)
    etc = host.folder / "etc"
    _write(etc / "libvirtd.conf", LIBVIRTD_CONF.format(uuid=host.uuid))
    _write(etc / "qemu.conf", QEMU_CONF.format(address=host.address))
    _write(etc / "virtlogd.conf", VIRTLOGD_CONF)
    if not host.gateway:  # the machine's own names serve; its own must be among them, or libvirt waits for look-ups
        _write(host.folder / "etc-hosts", f"{Path('/etc/hosts').read_text()}\n{host.address} {host.name}\n")
        return
    lines = ["127.0.0.1 localhost", f"{host.gateway} cloud"]
    lines += [f"{address} {name}" for name, address in others.items()]
    _write(host.folder / "etc-hosts", "\n".join(lines) + "\n")
    _write(host.folder / "etc-resolv.conf", RESOLV_CONF)


def _write(target: Path, text: str) -> None:
    """In place, because some of these files are bind-mounted; only when something changed."""
    if not target.exists() or target.read_text() != text:
        target.write_text(text)


def forget_run_files(host: Host) -> None:
    """Sockets and pid files of a machine that was restarted since mean nothing any more."""
    run(["find", str(host.folder / "run"), str(host.folder / "dhcp"), "-mindepth", "1", "-delete"])


def answers(path: Path) -> bool:
    """Somebody accepts connections on the Unix socket ``path``."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe, _short_name(path) as name:
        probe.settimeout(2)
        try:
            probe.connect(name)
        except OSError:
            return False
        return True


class _short_name:  # noqa: N801 - used as a verb
    """A name of ``path`` that fits into a socket address (108 bytes), however deep the state folder lies."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = -1

    def __enter__(self) -> str:
        with suppress(OSError):
            self.folder = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY)
        return f"/proc/self/fd/{self.folder}/{self.path.name}"

    def __exit__(self, *_: object) -> None:
        if self.folder >= 0:
            os.close(self.folder)


def start(host: Host) -> None:
    """Start what does not answer, detached, and wait until libvirtd does. A supervisor does without this."""
    if not answers(host.folder / "run" / "virtlogd-sock"):
        start_detached(host.virtlogd, log=host.folder / "log" / "virtlogd.log")
    if not answers(host.socket):
        start_detached(host.libvirtd, log=host.folder / "log" / "libvirtd.log")
    wait_until_ready(host)


def wait_until_ready(host: Host, *, timeout_s: float = 30.0) -> None:
    """Return when libvirtd answers; virsh waits for nothing, so the socket is tried ten times a second."""
    pause = select.poll()
    for _ in range(int(timeout_s * 10)):
        if answers(host.socket):
            return
        pause.poll(100)
    raise CommandFailed(host.libvirtd, None, _tail(host.folder / "log" / "libvirtd.log"))


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-1500:] if log.exists() else ""


def warm(host: Host) -> None:
    """Let libvirt probe QEMU now (4 s), so that the first guest does not wait for it."""
    run([*host.enter, "virsh", "--connect", "qemu:///system", "domcapabilities"], timeout_s=120)


def guests(host: Host) -> list[str]:
    """Names of the running guests; empty when libvirtd does not answer."""
    if not answers(host.socket):
        return []
    return run([*host.enter, "virsh", "--connect", "qemu:///system", "list", "--name"]).decode().split()


def destroy_guests(host: Host) -> None:
    """Destroy the running guests through libvirt, so that it forgets what it kept of them."""
    for name in guests(host):
        with suppress(CommandFailed):  # it may have ended by itself; what is left is ended as a process
            run([*host.enter, "virsh", "--connect", "qemu:///system", "destroy", "--", name], timeout_s=20)
