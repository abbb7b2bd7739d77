"""The door of the Network service: what compute, the scheduler and the dashboard may ask of it.

All methods are local: they run inside the caller's transaction and talk to nothing but the database.
"""

from __future__ import annotations

from integrations.networks.errors import (
    FixedIpAlreadyInUse,
    NetworkAmbiguous,
    OverQuota,
    RequestedNetworkNotFound,
    RequestedPortNotFound,
)
from integrations.networks.hosts_view import (
    addresses_of,
    host_networks,
    hosts_of_networks,
    nics,
    nics_of_servers,
    security_groups_of,
    servers_with_ports,
)
from integrations.networks.membership import group_names, groups_of_server, join_group, leave_group
from integrations.networks.plans import resolve, resolve_groups
from integrations.networks.plugging import allocate, move, plugged, release, release_port, unplugged
from integrations.networks.proxies import (
    add_security_group_rule,
    create_security_group,
    delete_security_group,
    delete_security_group_rule,
    groups_by_id,
    network,
    networks_of,
    security_group,
    security_groups,
    update_security_group,
)
from integrations.networks.seeding import ensure_network, set_quotas
from integrations.networks.values import (
    FixedIp,
    GroupInfo,
    HostNetwork,
    NetworkInfo,
    NetworkWish,
    PortInfo,
    PortPlan,
    RuleInfo,
    ServerAddress,
    ServerRef,
)

__all__ = [
    "FixedIp",
    "FixedIpAlreadyInUse",
    "GroupInfo",
    "HostNetwork",
    "NetworkAmbiguous",
    "NetworkInfo",
    "NetworkWish",
    "OverQuota",
    "PortInfo",
    "PortPlan",
    "RequestedNetworkNotFound",
    "RequestedPortNotFound",
    "RuleInfo",
    "ServerAddress",
    "ServerRef",
    "add_security_group_rule",
    "addresses_of",
    "allocate",
    "create_security_group",
    "delete_security_group",
    "delete_security_group_rule",
    "ensure_network",
    "group_names",
    "groups_by_id",
    "groups_of_server",
    "host_networks",
    "hosts_of_networks",
    "join_group",
    "leave_group",
    "move",
    "network",
    "networks_of",
    "nics",
    "nics_of_servers",
    "plugged",
    "release",
    "release_port",
    "resolve",
    "resolve_groups",
    "security_group",
    "security_groups",
    "security_groups_of",
    "servers_with_ports",
    "set_quotas",
    "unplugged",
    "update_security_group",
]
