"""What a guest finds on its config drive: OpenStack's metadata layout.

Source: https://docs.openstack.org/nova/latest/user/metadata.html
"""

from __future__ import annotations

import base64
from typing import Any

import orjson

from instances.models import Instance

VERSIONS = ("2012-08-10", "2018-08-27", "latest")


def _metadata(instance: Instance, password: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "uuid": instance.id,
        "name": instance.name,
        "hostname": instance.hostname,
        "project_id": instance.project_id,
        "availability_zone": instance.availability_zone,
        "launch_index": instance.launch_index,
        "meta": instance.metadata,
    }
    if instance.key_name and instance.public_key:
        found["public_keys"] = {instance.key_name: instance.public_key}
        found["keys"] = [{"name": instance.key_name, "type": "ssh", "data": instance.public_key}]
    if password:
        found["admin_pass"] = password
    return found


def _network_data(ports: list[dict[str, Any]]) -> dict[str, Any]:
    """links, networks and services of network_data.json."""
    links, networks = [], []
    services: set[str] = set()
    for number, port in enumerate(ports):
        link = f"tap{port['port_id'][:11]}"
        links.append(
            {
                "id": link,
                "vif_id": port["port_id"],
                "type": "bridge",
                "mtu": port.get("mtu") or 1450,
                "ethernet_mac_address": port["mac"],
            }
        )
        for address in port["fixed_ips"]:
            services.update(address.get("dns") or ())
            networks.append(
                {
                    "id": f"network{number}",
                    "type": "ipv4_dhcp" if port.get("dhcp_address") else "ipv4",
                    "link": link,
                    "network_id": port["network_id"],
                    "ip_address": address["address"],
                    "netmask": address["cidr"].partition("/")[2],
                    "routes": [],
                }
            )
    return {
        "links": links,
        "networks": networks,
        "services": [{"type": "dns", "address": address} for address in sorted(services)],
    }


def files(instance: Instance, password: str | None = None) -> dict[str, bytes]:
    """Path → content."""
    metadata = orjson.dumps(_metadata(instance, password))
    network = orjson.dumps(_network_data(instance.network_info))
    found: dict[str, bytes] = {}
    for version in VERSIONS:
        found[f"openstack/{version}/meta_data.json"] = metadata
        found[f"openstack/{version}/network_data.json"] = network
        if instance.user_data:
            found[f"openstack/{version}/user_data"] = base64.b64decode(instance.user_data)
    return found
