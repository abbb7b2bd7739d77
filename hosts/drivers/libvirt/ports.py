"""A guest's ports on this host: which it has stands in ``ports.json`` in its folder, from before they are made until
after they are removed; making them is the plumbing's work.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import msgspec

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import files
from hosts.drivers.libvirt.disks import Disks
from hosts.drivers.specs import GuestSpec, NetworkSpec, NicSpec

_TAPS = msgspec.json.Decoder(dict[str, str])


class Wires(Protocol):
    """What a driver needs of ``hosts.plumbing.Plumbing``; every call looks before it acts."""

    def ensure_network(self, network: NetworkSpec, peers: Sequence[str] = ()) -> None:
        """This host carries ``network``: bridge, segment to ``peers`` (underlay addresses), DHCP."""

    def ensure_port(self, nic: NicSpec) -> str:
        """The port's tap device is there and in its network's bridge; its name."""

    def remove_port(self, port_id: str) -> None:
        """The port's tap device is gone, and its network if it was the last one here."""

    def sync_peers(self, network_id: str, peers: Sequence[str]) -> None:
        """The network, if it is here, is flooded to exactly ``peers``."""


class Ports:
    """The ports of one host's guests. Without wires, guests cannot have networks."""

    def __init__(self, disks: Disks, wires: Wires | None) -> None:
        self._disks = disks
        self._wires = wires

    def plug(self, spec: GuestSpec) -> None:
        """Every port of ``spec`` has its device. Raises Fatal when this host has no networks."""
        if not spec.nics:
            return
        if self._wires is None:
            raise Fatal("this host carries no networks (driver option network)")
        mark = spec.operation_id or "none"
        known = self.taps(spec.id)
        self._write(spec.id, dict.fromkeys((nic.port_id for nic in spec.nics), "") | known, mark, known)
        taps = dict(known)
        for nic in spec.nics:
            self._wires.ensure_network(nic.network, spec.peers)
            taps[nic.port_id] = self._wires.ensure_port(nic)
        self._write(spec.id, taps, mark, known)

    def unplug(self, guest_id: str) -> None:
        """No port of the guest is left on this host."""
        for port_id in self.taps(guest_id):
            if self._wires is not None:
                self._wires.remove_port(port_id)
        self._file(guest_id).unlink(missing_ok=True)

    def unplug_one(self, guest_id: str, port_id: str) -> None:
        """Nothing of the port is left on this host."""
        known = self.taps(guest_id)
        if port_id not in known:
            return
        if self._wires is not None:
            self._wires.remove_port(port_id)
        left = {name: tap for name, tap in known.items() if name != port_id}
        if left:
            self._write(guest_id, left, "unplug", known)
        else:
            self._file(guest_id).unlink(missing_ok=True)

    def sync_peers(self, peers: Mapping[str, Sequence[str]]) -> None:
        """Network id -> the other hosts that carry it."""
        if self._wires is not None:
            for network_id, addresses in peers.items():
                self._wires.sync_peers(network_id, addresses)

    def taps(self, guest_id: str) -> dict[str, str]:
        """Port id -> device ("" while it is being made)."""
        try:
            return _TAPS.decode(self._file(guest_id).read_bytes())
        except FileNotFoundError:
            return {}

    def _write(self, guest_id: str, taps: dict[str, str], mark: str, known: dict[str, str]) -> None:
        if taps != known:
            files.private_folder(self._disks.folder(guest_id))
            files.write(self._file(guest_id), msgspec.json.encode(taps), mark)

    def _file(self, guest_id: str) -> Path:
        return self._disks.folder(guest_id) / "ports.json"
