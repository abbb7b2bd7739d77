"""Rows of the Compute API."""

from instances.models.flavor import Flavor, FlavorAccess
from instances.models.instance import Instance, InstanceTag
from instances.models.keypair import KeyPair
from instances.models.move import Move
from instances.models.quota import UserQuota
from instances.models.server_group import ServerGroup

__all__ = ["Flavor", "FlavorAccess", "Instance", "InstanceTag", "KeyPair", "Move", "ServerGroup", "UserQuota"]
