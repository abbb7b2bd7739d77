"""`python -m deploy.systemd.site`: the origin and the hosts' gate as a site of the distribution's nginx, on stdout.

The same text as ``deploy/front.py`` and ``deploy/gate.py`` write for a local cloud, at the places where units have it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy import front, gate
from deploy.cloud import Cloud, Wish
from deploy.config import CONDUCTOR_PORT

STATE = Path("/var/lib/computecloud")
PLACES = {
    f"{STATE}/run/": "/run/computecloud/",
    f"{STATE}/etc/": "/etc/computecloud/",
    f"{STATE}/static/": "/opt/computecloud/static/",
    f"{STATE}/log/front-access.log": "/var/log/nginx/computecloud.log",
}
# What the distribution's nginx.conf says already, or has places of its own for.
NOT_OF_A_SITE = ("include /etc/nginx/mime", "default_type application", "sendfile ", "tcp_nopush ", "include /etc/comp")
TEMPORARY = "_temp_path "


def site(wish: Wish, hosts_listen: Sequence[str], certificate: str, key: str) -> str:
    """The text of the site; it belongs into nginx's http block."""
    cloud = Cloud(STATE, wish)
    inside = front.text(cloud, has_console=False).split("http {\n", 1)[1].rstrip().removesuffix("}")
    lines = [line for line in inside.splitlines() if not _is_elsewhere(line)]
    origin = "\n".join(lines).replace(f"{STATE}/ca/server.crt", certificate).replace(f"{STATE}/ca/server.key", key)
    text = f"{origin}\n{gate.text(cloud, hosts_listen, CONDUCTOR_PORT)}"
    for place, wanted in PLACES.items():
        text = text.replace(place, wanted)
    return text


def _is_elsewhere(line: str) -> bool:
    """Only of the http block itself, which is indented once."""
    words = line.removeprefix("    ")
    return not words.startswith(" ") and (TEMPORARY in words or words.startswith(NOT_OF_A_SITE) or gate.FILE in words)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="deploy.systemd.site", description=__doc__)
    parser.add_argument("--listen", default="0.0.0.0", help="address of the origin")  # noqa: S104
    parser.add_argument("--port", type=int, default=443)
    parser.add_argument("--certificate", default=f"{STATE}/ca/server.crt", help="the origin's, for clients")
    parser.add_argument("--key", default=f"{STATE}/ca/server.key")
    parser.add_argument("--hosts-listen", action="append", metavar="ADDRESS", help="of the hosts' gate")
    parser.add_argument("--admin-from", action="append", default=[], metavar="CIDR", help="who may open /admin/")
    parser.add_argument("--headers", action="store_true", help="print headers.conf instead")
    asked = parser.parse_args(arguments)
    if asked.headers:
        sys.stdout.write(front.headers())
        return
    if not asked.hosts_listen:
        parser.error("--hosts-listen: the address at which compute hosts reach this machine")
    wish = Wish(listen=asked.listen, port=asked.port, tls=True,
                admin_networks=["127.0.0.0/8", "::1/128", *asked.admin_from])  # fmt: skip
    sys.stdout.write(site(wish, asked.hosts_listen, asked.certificate, asked.key))


if __name__ == "__main__":
    main(sys.argv[1:])
