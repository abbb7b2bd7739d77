"""What this host carries, on disk: one folder for each network, one file for each port, written before any device."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock

import msgspec

from hosts.drivers.specs import NetworkSpec, NicSpec
from hosts.plumbing.names import checked_id

_NETWORK = msgspec.json.Decoder(NetworkSpec)
_NIC = msgspec.json.Decoder(NicSpec)


class Records:
    """The folder ``state_dir``: ``networks/ID/network.json`` and ``networks/ID/ports/ID.json``."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir
        self._threads = RLock()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Only one thread of one process changes this host's networks at a time."""
        with self._threads:
            self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.state_dir / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield

    def write_network(self, network: NetworkSpec) -> None:
        self._write(self._folder(network.id) / "network.json", msgspec.json.encode(network))

    def write_port(self, nic: NicSpec) -> None:
        self._write(self._port(nic.network.id, nic.port_id), msgspec.json.encode(nic))

    def forget_port(self, network_id: str, port_id: str) -> None:
        self._port(network_id, port_id).unlink(missing_ok=True)

    def forget_network(self, network_id: str) -> None:
        shutil.rmtree(self._folder(network_id), ignore_errors=True)

    def networks(self) -> dict[str, NetworkSpec]:
        """By id."""
        found = [_NETWORK.decode(file.read_bytes()) for file in self._files("*/network.json")]
        return {network.id: network for network in found}

    def network(self, network_id: str) -> NetworkSpec | None:
        file = self._folder(network_id) / "network.json"
        return _NETWORK.decode(file.read_bytes()) if file.exists() else None

    def ports(self, network_id: str) -> list[NicSpec]:
        """The ports of a network on this host, in a fixed order."""
        files = self._files(f"{checked_id(network_id)}/ports/*.json")
        return [_NIC.decode(file.read_bytes()) for file in files]

    def all_ports(self) -> list[NicSpec]:
        return [_NIC.decode(file.read_bytes()) for file in self._files("*/ports/*.json")]

    def network_of(self, port_id: str) -> str | None:
        """The network that a port is recorded in."""
        found = self._files(f"*/ports/{checked_id(port_id)}.json")
        return found[0].parent.parent.name if found else None

    def _folder(self, network_id: str) -> Path:
        return self.state_dir / "networks" / checked_id(network_id)

    def _port(self, network_id: str, port_id: str) -> Path:
        return self._folder(network_id) / "ports" / f"{checked_id(port_id)}.json"

    def _files(self, pattern: str) -> list[Path]:
        return sorted((self.state_dir / "networks").glob(pattern))

    def _write(self, target: Path, data: bytes) -> None:
        if target.exists() and target.read_bytes() == data:
            return
        write_whole(target, data)


def write_whole(target: Path, data: bytes, *, mode: int = 0o600) -> None:
    """Readers see the old content or the new one; a crash leaves one of them."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    part.touch(mode=mode)
    with part.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    part.chmod(mode)
    part.replace(target)
