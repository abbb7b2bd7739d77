"""`python -m deploy.systemd.certificates NAME...`: the authority, and the servers' certificate for these names."""

from __future__ import annotations

import os
import sys

from computecloud.core.authority import Authority
from deploy.systemd.site import STATE


def main(names: list[str]) -> None:
    """Names and addresses at which clients and hosts reach the cloud. Prints what a joining host compares."""
    if not names:
        sys.exit("usage: python -m deploy.systemd.certificates NAME_OR_ADDRESS...")
    os.umask(0o077)
    own = Authority(STATE / "ca")
    own.ensure()
    own.ensure_server(names)
    print(f"--ca-fingerprint {own.fingerprint}")


if __name__ == "__main__":
    main(sys.argv[1:])
