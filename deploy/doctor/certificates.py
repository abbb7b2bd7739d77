"""The certificates of this cloud and of the agents on this machine: how long they last."""

from __future__ import annotations

from collections.abc import Iterator

from computecloud.core.authority import days_left
from computecloud.core.finding import Finding
from deploy.cloud import Cloud

SOON_DAYS = 14


def lasting(cloud: Cloud) -> Iterator[Finding]:
    """Servers' certificates with TLS, agents' always: an agent renews its own while it still lasts."""
    own = [cloud.ca / "ca.crt", cloud.ca / "server.crt"] if cloud.wish.tls else []
    files = [path for path in (*own, *sorted(cloud.data.glob("agent-*/agent.crt"))) if path.exists()]
    ending = [(path, left) for path in files if (left := days_left(path)) < SOON_DAYS]
    for path, left in ending:
        when = f"expired {-left:.1f} days ago" if left < 0 else f"expires in {left:.1f} days"
        served = "./cloud up makes a new one and restarts what serves it"
        remedy = (
            served if path in own else "Its agent renews it while it lasts: ./cloud logs compute@…; else enrol again"
        )
        yield Finding(
            "certificate.expired" if left < 0 else "certificate.ending", "wrong" if left < 0 else "note",
            f"certificate {path.name}", f"{path} {when}", remedy,
        )  # fmt: skip
    if files and not ending:
        yield Finding("certificate", "well", "certificates", f"{len(files)} last")
