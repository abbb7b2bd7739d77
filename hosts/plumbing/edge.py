"""What may not cross the edge of a host: the DHCP server, which each host has for itself at the same address."""

from __future__ import annotations

from computecloud.core.command import run
from hosts.drivers.specs import NetworkSpec
from hosts.plumbing import names


def rules(network: NetworkSpec) -> str:
    """The network's nftables tables, replaced as one transaction.

    Nothing from guests reaches the host's own network stack through the bridge. Frames of the DHCP server, and
    DHCP, do not pass the VXLAN device in either direction.
    """
    table = names.table(network.id)
    edge = names.vxlan(network.id)
    forbidden: list[str] = []
    if network.dhcp_address is not None:
        mac, address = names.dhcp_mac(network.id), names.checked_address(network.dhcp_address)
        forbidden = [
            f"ether saddr {mac} drop",
            f"ether daddr {mac} drop",
            f"arp saddr ip {address} drop",
            f"arp daddr ip {address} drop",
            "udp dport { 67, 68 } drop",
        ]
    return "\n".join(
        [
            *_emptied(table),
            f"table netdev {table} {{",
            "  chain host {",
            f'    type filter hook ingress device "{names.bridge(network.id)}" priority 0; policy drop;',
            "  }",
            "}",
            f"table bridge {table} {{",
            "  chain edge {",
            *(f"    {rule}" for rule in forbidden),
            "  }",
            "  chain forward {",
            "    type filter hook forward priority 0; policy accept;",
            f'    iifname "{edge}" jump edge',
            f'    oifname "{edge}" jump edge',
            "  }",
            "}",
            "",
        ]
    )


def _emptied(table: str) -> list[str]:
    """Lines that remove both tables; naming each first lets that succeed when it was never there."""
    return [f"{line} {family} {table}" for family in ("netdev", "bridge") for line in ("table", "delete table")]


def guard(wanted: str) -> None:
    """The rules ``wanted`` are in force, and only they."""
    run(["nft", "-f", "-"], data=wanted.encode())


def is_guarded(network_id: str) -> bool:
    """Both tables of the network are there."""
    found = run(["nft", "list", "tables"]).decode().splitlines()
    return {f"table {family} {names.table(network_id)}" for family in ("netdev", "bridge")} <= set(found)


def unguard(network_id: str) -> None:
    """The rules are gone."""
    run(["nft", "-f", "-"], data="\n".join([*_emptied(names.table(network_id)), ""]).encode())
