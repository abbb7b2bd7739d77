"""The certificates of the cloud's own servers: https, the hosts' gate and the broker share one."""

from __future__ import annotations

from urllib.parse import urlsplit

from computecloud.core.authority import Authority
from deploy.cloud import EVERYWHERE, Cloud


def authority(cloud: Cloud) -> Authority:
    return Authority(cloud.ca)


def ensure(cloud: Cloud, network_address: str | None) -> None:
    """The authority is there (hosts get certificates with or without TLS); with TLS the servers' certificate too."""
    own = authority(cloud)
    own.ensure()
    if cloud.wish.tls:
        own.ensure_server(server_names(cloud, network_address))


def server_names(cloud: Cloud, network_address: str | None) -> list[str]:
    """Every name and address at which somebody reaches this cloud."""
    wish = cloud.wish
    listen = "" if wish.listen in EVERYWHERE else wish.listen
    public = urlsplit(cloud.public_url).hostname or ""
    known = ["localhost", "127.0.0.1", "::1", "cloud", listen, public, network_address or "", wish.hosts_listen]
    return [name for name in dict.fromkeys(known) if name]
