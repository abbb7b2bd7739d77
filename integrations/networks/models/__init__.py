"""Rows of the Network service."""

from integrations.networks.models.network import Network, SegmentCounter
from integrations.networks.models.port import DHCP_OWNER, ROUTER_OWNER, Port, PortSecurityGroup
from integrations.networks.models.quota import QuotaGate
from integrations.networks.models.router import Router, RouterInterface
from integrations.networks.models.security_group import SecurityGroup, SecurityGroupRule
from integrations.networks.models.subnet import FixedAddress, Subnet
from integrations.networks.models.subnet_pool import SubnetPool
from integrations.networks.models.tag import Tag

__all__ = [
    "DHCP_OWNER",
    "ROUTER_OWNER",
    "FixedAddress",
    "Network",
    "Port",
    "PortSecurityGroup",
    "QuotaGate",
    "Router",
    "RouterInterface",
    "SecurityGroup",
    "SecurityGroupRule",
    "SegmentCounter",
    "Subnet",
    "SubnetPool",
    "Tag",
]
