"""The guests' networks on one host: a bridge and a VXLAN segment for each, taps, DHCP. No hypervisor, no database."""

from __future__ import annotations

from hosts.plumbing.dataplane import NetworkSeen, Plumbing, PortSeen

__all__ = ["NetworkSeen", "Plumbing", "PortSeen"]
