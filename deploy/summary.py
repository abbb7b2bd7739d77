"""What `up` says at the end: the first guest, where everything is, and how to log in."""

from __future__ import annotations

from typing import Any

from deploy import guests
from deploy.cloud import CHECKOUT, DEFAULT_STATE, Cloud
from deploy.credentials import FILE, Secrets
from deploy.progress import Progress


def _addresses(server: dict[str, Any]) -> str:
    found = [f"{network} {one['addr']}" for network, rows in server.get("addresses", {}).items() for one in rows]
    return ", ".join(found) or "none"


def show(cloud: Cloud, secrets: Secrets, progress: Progress) -> None:
    """Print it. Passwords are not printed: they stay in the secrets file, and `./cloud env` has them for programs."""
    say = progress.say
    guest = guests.first_guest(cloud, secrets)
    if guest is not None:
        say(f"\nFirst guest: {guest['name']}  status {guest['status']}  address {_addresses(guest)}")
        if guest["status"] == "ACTIVE":
            lines = [line.rstrip() for line in guests.console(cloud, secrets) if line.strip()]
            say("Its console ends with:")
            for line in lines[-4:]:
                say(f"    {line[:120]}")
    option = "" if cloud.state == DEFAULT_STATE else f" --state {cloud.state}"
    url = cloud.public_url
    say(f"""
API        {url}/  (identity at {url}/identity/v3)
Admin      {url}/admin/
Flower     {url}/flower/  (log in at Admin first)
Log in     users demo and admin; their passwords are in {cloud.state / FILE}
Command    eval "$({_short()} env demo{option})" && openstack server list
           or OS_CLIENT_CONFIG_FILE={cloud.state}/clouds.yaml openstack --os-cloud computecloud server list
Look       {_short()} status{option}   {_short()} logs{option}   {_short()} doctor{option}

Up after {progress.elapsed_s():.1f} s.""")


def _short() -> str:
    return str(CHECKOUT / "cloud")
