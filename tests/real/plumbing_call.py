"""Calls the plumbing on a local host: ``{"call": ...}`` on standard input, the answer on output."""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec

from hosts.drivers.specs import NetworkSpec, NicSpec
from hosts.plumbing import Plumbing


def main() -> None:
    asked = msgspec.json.decode(sys.stdin.buffer.read())
    plumbing = Plumbing(asked["underlay"], Path(asked["state"]), asked.get("peers", ()))
    match asked["call"]:
        case "ensure_network":
            answer = plumbing.ensure_network(msgspec.convert(asked["network"], NetworkSpec), asked.get("peers", ()))
        case "ensure_port":
            answer = plumbing.ensure_port(msgspec.convert(asked["nic"], NicSpec))
        case "sync_peers":
            answer = plumbing.sync_peers(asked["network_id"], asked["peers"])
        case "remove_port":
            answer = plumbing.remove_port(asked["port_id"])
        case "remove_network":
            answer = plumbing.remove_network(asked["network_id"])
        case "ports":
            answer = plumbing.ports()
        case "networks":
            answer = plumbing.networks()
        case other:
            raise SystemExit(f"unknown call {other}")
    sys.stdout.buffer.write(msgspec.json.encode(answer))


main()
