"""What a simulated guest would have written on its serial console. It always says that it is simulated."""

from __future__ import annotations

from hosts.drivers.fake.guests import Guest

MARK = "*** SIMULATED by the fake driver: no machine is running here ***"


def text(guest: Guest) -> str:
    """The whole console log of ``guest``: one boot after the other; empty before its first boot."""
    return "".join(_boot(guest, number) for number in range(1, guest.boots + 1))


def _boot(guest: Guest, number: int) -> str:
    host = guest.name or guest.id
    lines = [
        MARK,
        f"[    0.000000] Linux version 0.0-simulated (boot {number} of {guest.id})",
        f"[    0.004000] smpboot: Allowing {guest.vcpus} CPUs, 0 hotplug CPUs",
        f"[    0.008000] Memory: {guest.ram_mb * 1024}K available",
    ]
    lines += [
        f"[    0.4{index:02}000] virtio_blk: [{target}] {size} MB"
        for index, (target, size) in enumerate(sorted(guest.disks.items()))
    ]
    lines += [f"[    0.6{index:02}000] virtio_net: eth{index} {mac}" for index, mac in enumerate(guest.ports.values())]
    lines += [f"network: address {address}" for address in guest.addresses]
    if guest.config_drive:
        lines.append(f"config-2: {len(guest.config_drive)} files")
    lines += [MARK, "", f"{host} login: "]
    return "\n".join(lines) + "\n"
