"""The namespaces of a host: held by bind-mounted files, so that they need no process to live.

``<state>/hosts/ns`` is a private mount of its own, because a mount namespace can only be held below one.
"""

from __future__ import annotations

import os
import select
import signal
from collections.abc import Iterator
from pathlib import Path

from computecloud.core.command import run
from deploy.hosts.layout import PRIVATE_FOLDERS, Host

HIDDEN_FOLDERS = ("/run/dbus", "/run/systemd/machine")  # machined would mix the guests of all hosts
PRIVATE_FILES = ("hosts", "resolv.conf")  # below /etc; in the host's folder as etc-NAME
UNIFIED = "/sys/fs/cgroup/unified"


def mounted(mountinfo: str) -> dict[str, str]:
    """Mount point -> file system type, from the text of a ``mountinfo`` file."""
    found = {}
    for line in mountinfo.splitlines():
        left, _, right = line.partition(" - ")
        found[left.split()[4].replace("\\040", " ")] = right.split()[0]
    return found


def _here() -> dict[str, str]:
    return mounted(Path("/proc/self/mountinfo").read_text())


def alive(host: Host) -> bool:
    """All namespaces of the host are held."""
    here = _here()
    return all(here.get(str(host.namespace(kind))) == "nsfs" for kind in host.kinds)


def ensure(host: Host) -> bool:
    """The host has its namespaces; True when they were made now."""
    folder = host.namespace("mnt").parent
    folder.mkdir(parents=True, exist_ok=True)
    if str(folder) not in _here():
        run(["mount", "--bind", str(folder), str(folder)])
    run(["mount", "--make-private", str(folder)])
    if alive(host):
        return False
    release(host)
    names = {"net": "--net", "mnt": "--mount", "uts": "--uts"}
    for kind in host.kinds:
        host.namespace(kind).touch()
    flags = [f"{names[kind]}={host.namespace(kind)}" for kind in host.kinds]
    run(["unshare", *flags, "--propagation", "slave", "hostname", host.name])
    return True


def release(host: Host) -> None:
    """Let go of the namespaces; they end when no process is left in them."""
    here = _here()
    for kind in host.kinds:
        held = host.namespace(kind)
        if str(held) in here:
            run(["umount", "--lazy", str(held)])
        held.unlink(missing_ok=True)


def release_folder(folder: Path) -> None:
    """Unmount the folder of the namespace files once no host is held there any more."""
    here = _here()
    if str(folder) in here and not any(point.startswith(f"{folder}/") for point in here):
        run(["umount", str(folder)])
        folder.rmdir()


def ensure_mounts(host: Host) -> None:
    """The host sees its own libvirt folders, name files and devices, and nobody else's namespaces."""
    text = run([*host.enter, "cat", "/proc/self/mountinfo"]).decode()
    inside = mounted(text)
    for point, kind in inside.items():
        if kind == "nsfs":  # a copy of a mount that would keep another host's namespace alive
            run([*host.enter, "umount", "--lazy", point])
    if UNIFIED in inside and len([point for point, kind in inside.items() if kind == "cgroup"]) > 1:
        run([*host.enter, "umount", "--lazy", UNIFIED])  # libvirt's LXC driver stumbles over mixed control groups
    for target, name in PRIVATE_FOLDERS.items():
        if target not in inside:
            Path(target).mkdir(parents=True, exist_ok=True)  # a mount point, shared with the machine, stays empty
            _bind(host, host.folder / name, target)
    for name in PRIVATE_FILES:
        target = str(Path("/etc", name).resolve())
        if target not in inside and Path(target).exists() and (host.folder / f"etc-{name}").exists():
            _bind(host, host.folder / f"etc-{name}", target)
    empty = host.folder / "empty"
    empty.mkdir(exist_ok=True)
    for target in HIDDEN_FOLDERS:
        if target not in inside and Path(target).is_dir():
            _bind(host, empty, target)
    if text.count(" / /sys ") < 2:
        _show_own_devices(host, empty)


def _show_own_devices(host: Host, place: Path) -> None:
    """Mount a /sys that shows the network devices of the host, and keep the control groups of the machine in it."""
    run([*host.enter, "mount", "-t", "sysfs", "sysfs", str(place)])
    if Path("/sys/fs/cgroup").is_dir():
        run([*host.enter, "mount", "--rbind", "/sys/fs/cgroup", str(place / "fs/cgroup")])
    run([*host.enter, "mount", "--move", str(place), "/sys"])


def _bind(host: Host, source: Path, target: str) -> None:
    run([*host.enter, "mount", "--bind", str(source), target])


def processes(host: Host) -> list[int]:
    """Ids of the processes in the host's own network or mount namespace: daemons, guests, DHCP servers, whatever else.

    The supervisor's programs among them would be started again: it is stopped before.
    """
    if not alive(host):
        return []
    own = {kind: host.namespace(kind).stat().st_ino for kind in host.kinds if kind != "uts"}
    return [pid for pid in _process_ids() if any(_namespace_of(pid, kind) == inode for kind, inode in own.items())]


def _process_ids() -> Iterator[int]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def _namespace_of(pid: int, kind: str) -> int | None:
    try:
        return Path(f"/proc/{pid}/ns/{kind}").stat().st_ino
    except OSError:  # it has ended meanwhile
        return None


def end_processes(host: Host, *, grace_s: float = 5.0) -> int:
    """End every process of the host: first asked, after ``grace_s`` seconds forced. Returns how many there were."""
    first = processes(host)
    _end(first, signal.SIGTERM, grace_s)
    _end(processes(host), signal.SIGKILL, grace_s)
    return len(first)


def _end(pids: list[int], how: signal.Signals, wait_s: float) -> None:
    """Signal the processes and wait until they are gone, ``wait_s`` seconds at most for each."""
    for pid in pids:
        try:
            watched = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        try:
            signal.pidfd_send_signal(watched, how)
            poll = select.poll()
            poll.register(watched, select.POLLIN)
            poll.poll(wait_s * 1000)
        except ProcessLookupError:
            pass
        finally:
            os.close(watched)
