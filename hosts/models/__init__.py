"""Rows about compute hosts."""

from hosts.models.agent import Agent, EnrolmentToken
from hosts.models.aggregate import Aggregate, AggregateHost
from hosts.models.allocation import Allocation
from hosts.models.host import Host
from hosts.models.inventory import DISK_GB, MEMORY_MB, VCPU, Inventory
from hosts.models.oddity import Oddity

__all__ = [
    "DISK_GB",
    "MEMORY_MB",
    "VCPU",
    "Agent",
    "Aggregate",
    "AggregateHost",
    "Allocation",
    "EnrolmentToken",
    "Host",
    "Inventory",
    "Oddity",
]
