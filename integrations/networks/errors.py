"""What the Network API can refuse, under Neutron's type names, and what servers are told about their networks.

The class name is the ``type`` of the answer's ``NeutronError``. The second half is raised by the facade only and is
worded as Nova words it.
"""

from __future__ import annotations

from computecloud.core.errors import Conflict, Forbidden, Invalid, NotFound

# --- 400


class HTTPBadRequest(Invalid):
    """The request itself is malformed: unknown attribute, wrong type, read-only attribute."""


class InvalidInput(Invalid):
    message = "Invalid input for operation: {error_message}."


class PrefixVersionMismatch(Invalid):
    message = "Cannot mix IPv4 and IPv6 prefixes in a subnet pool."


class IllegalSubnetPoolPrefixBounds(Invalid):
    message = "Illegal prefix bounds: {prefix_type}={prefixlen}."


class IllegalSubnetPoolPrefixUpdate(Invalid):
    message = "Illegal update to prefixes: the new prefixes do not hold the present ones."


class DefaultSubnetPoolExists(Invalid):
    message = "A default subnetpool for this IP family has already been set. Only one default may exist per IP family."


class InvalidAllocationPool(Invalid):
    message = "The allocation pool {pool} is not valid."


class OutOfBoundsAllocationPool(Invalid):
    message = "The allocation pool {pool} spans beyond the subnet cidr {subnet_cidr}."


class InvalidIpForNetwork(Invalid):
    message = "IP address {ip_address} is not a valid IP for any of the subnets on the specified network."


class InvalidIpForSubnet(Invalid):
    message = "IP address {ip_address} is not a valid IP for the specified subnet."


class AllocationOnAutoAddressSubnet(Invalid):
    message = (
        "IPv6 address {ip} can not be directly assigned to a port on subnet {subnet_id} since the subnet is "
        "configured for automatic addresses"
    )


class DNSNameServersExhausted(Invalid):
    message = "Unable to complete operation for {subnet_id}. The number of DNS nameservers exceeds the limit {quota}."


class HostRoutesExhausted(Invalid):
    message = "Unable to complete operation for {subnet_id}. The number of host routes exceeds the limit {quota}."


class PortSecurityAndIPRequiredForSecurityGroups(Invalid):
    message = "Port security must be enabled and port must have an IP address in order to use security groups."


class InvalidCIDR(Invalid):
    message = "Invalid CIDR {input} given as IP prefix."


class SecurityGroupProtocolRequiredWithPorts(Invalid):
    message = "Must also specify protocol if port range is given."


class SecurityGroupInvalidPortRange(Invalid):
    message = "For TCP/UDP protocols, port_range_min must be <= port_range_max."


class SecurityGroupInvalidPortValue(Invalid):
    message = "Invalid value for port {port}."


class SecurityGroupInvalidIcmpValue(Invalid):
    message = "Invalid value for ICMP {field} ({attr}) {value}. It must be 0 to 255."


class SecurityGroupMissingIcmpType(Invalid):
    message = "ICMP code (port-range-max) {value} is provided but ICMP type (port-range-min) is missing."


class SecurityGroupInvalidProtocolForPort(Invalid):
    message = (
        "Invalid protocol {protocol} for port range, only supported for protocols tcp, udp, sctp, dccp and udplite."
    )


class SecurityGroupRuleInvalidProtocol(Invalid):
    message = (
        "Security group rule protocol {protocol} not supported. Only protocol values {values} and integer "
        "representations [0 to 255] are supported."
    )


class SecurityGroupEthertypeConflictWithProtocol(Invalid):
    message = "Invalid ethertype {ethertype} for protocol {protocol}."


class SecurityGroupRuleParameterConflict(Invalid):
    message = "Conflicting value ethertype {ethertype} for CIDR {cidr}."


class SecurityGroupRuleInvalidEtherType(Invalid):
    message = "Security group rule for ethertype '{ethertype}' not supported. Allowed values are {values}."


class SecurityGroupRemoteGroupAndRemoteIpPrefix(Invalid):
    message = "Only remote_ip_prefix or remote_group_id may be provided."


class ExternalGatewayNotOffered(Invalid):
    """Ours: routers are rows and route nothing."""

    message = (
        "Router gateways are not offered by this cloud yet: routers are records only, and network {net_id} cannot "
        "carry external traffic."
    )


class FloatingIpNotOffered(Invalid):
    """Ours: there is no external network to take an address from."""

    message = "Floating IP addresses are not offered by this cloud yet: it has no external network that routes."


class QuotaMissingTenant(Invalid):
    message = "Tenant-id was missing from quota request."


# --- 403


class PolicyNotAuthorized(Forbidden):
    message = "rule:{action} is disallowed by policy"


# --- 404


class NetworkNotFound(NotFound):
    message = "Network {net_id} could not be found."


class SubnetNotFound(NotFound):
    message = "Subnet {subnet_id} could not be found."


class SubnetPoolNotFound(NotFound):
    message = "Subnet pool {subnetpool_id} could not be found."


class PortNotFound(NotFound):
    message = "Port {port_id} could not be found."


class RouterNotFound(NotFound):
    message = "Router {router_id} could not be found"


class RouterInterfaceNotFound(NotFound):
    message = "Router {router_id} does not have an interface with id {port_id}"


class RouterInterfaceNotFoundForSubnet(NotFound):
    message = "Router {router_id} has no interface on subnet {subnet_id}"


class SecurityGroupNotFound(NotFound):
    message = "Security group {id} does not exist"


class SecurityGroupRuleNotFound(NotFound):
    message = "Security group rule {id} does not exist"


class FloatingIPNotFound(NotFound):
    message = "Floating IP {floatingip_id} could not be found"


class AgentNotFound(NotFound):
    message = "Agent {id} could not be found."


class ExtensionNotFound(NotFound):
    message = "Extension with alias {alias} does not exist"


class TagNotFound(NotFound):
    message = "Tag {tag} could not be found."


class TenantQuotaNotFound(NotFound):
    message = "Quota for tenant {tenant_id} could not be found."


class HTTPNotFound(NotFound):
    message = "The resource could not be found."


# --- 409


class InvalidQuotaValue(Conflict):
    message = "Change would make usage less than 0 for the following resources: {unders}."


class OverQuota(Conflict):
    """Neutron answers 409, not 403 as Nova does."""

    message = "Quota exceeded for resources: {overs}."


class NetworkInUse(Conflict):
    message = (
        "Unable to complete operation on network {net_id}. There are one or more ports still in use on the network."
    )


class SubnetAllocationError(Conflict):
    message = "Failed to allocate subnet: {reason}."


class SubnetPoolDeleteError(Conflict):
    message = "Unable to delete subnet pool: Subnets allocated from this pool still exist."


class SubnetInUse(Conflict):
    message = "Unable to complete operation on subnet {subnet_id}: {reason}."


class PortInUse(Conflict):
    message = (
        "Unable to complete operation on port {port_id} for network {net_id}. "
        "Port already has an attached device {device_id}."
    )


class ServicePortInUse(Conflict):
    message = "Port {port_id} cannot be deleted directly via the port API: {reason}."


class PortBound(Conflict):
    message = (
        "Unable to complete operation on port {port_id}, port is already bound, port type: {vif_type}, "
        "old_mac {old_mac}, new_mac {new_mac}."
    )


class MacAddressInUse(Conflict):
    message = "Unable to complete operation for network {net_id}. The mac address {mac} is in use."


class IpAddressAlreadyAllocated(Conflict):
    message = "IP address {ip} already allocated in subnet {subnet_id}"


class IpAddressGenerationFailure(Conflict):
    message = "No more IP addresses available on network {net_id}."


class OverlappingAllocationPools(Conflict):
    message = "Found overlapping allocation pools: {pool_1} {pool_2} for subnet {subnet_cidr}."


class GatewayConflictWithAllocationPools(Conflict):
    message = "Gateway ip {ip_address} conflicts with allocation pool {pool}."


class GatewayIpInUse(Conflict):
    message = "Current gateway ip {ip_address} already in use by port {port_id}. Unable to update."


class InvalidSharedSetting(Conflict):
    message = "Unable to reconfigure sharing settings for network {network}. Multiple tenants are using it."


class NoNetworkAvailable(Conflict):
    message = "Unable to create the network. No tenant network is available for allocation."


class TunnelIdInUse(Conflict):
    message = "Unable to create the network. The tunnel ID {tunnel_id} is in use."


class RouterInUse(Conflict):
    message = "Router {router_id} still has ports"


class SecurityGroupInUse(Conflict):
    message = "Security Group {id} in use."


class SecurityGroupDefaultAlreadyExists(Conflict):
    message = "Default security group already exists."


class SecurityGroupCannotRemoveDefault(Conflict):
    message = "Insufficient rights for removing default security group."


class SecurityGroupCannotUpdateDefault(Conflict):
    message = "Updating default security group not allowed."


class SecurityGroupRuleExists(Conflict):
    message = "Security group rule already exists. Rule id is {rule_id}."


class PortSecurityPortHasSecurityGroup(Conflict):
    message = (
        "Port has security group associated. Cannot disable port security or IP address until security group is removed"
    )


class TagLimitReached(Conflict):
    message = "A resource can carry at most {limit} tags."


# --- what a server's owner is told (worded as Nova words it; 400 where Nova says 400)


class RequestedNetworkNotFound(Invalid):
    message = "Network {network_id} could not be found."


class RequestedPortNotFound(Invalid):
    message = "Port id {port_id} could not be found."


class RequestedPortInUse(Conflict):
    message = "Port {port_id} is still in use."


class RequestedPortTwice(Invalid):
    message = "Port {port_id} was requested more than once."


class PortRequiresFixedIP(Invalid):
    message = "Port {port_id} requires a FixedIP in order to be used."


class NetworkRequiresSubnet(Invalid):
    message = "Network {network_id} requires a subnet in order to boot instances on."


class NetworkAmbiguous(Conflict):
    message = "More than one possible network found. Specify network ID(s) to select which one(s) to connect to."


class FixedIpInvalidForNetwork(Invalid):
    message = "Fixed IP {address} is not a valid ip address for network {network_id}."


class FixedIpAlreadyInUse(Invalid):
    message = "Fixed IP address {address} is already in use on instance {instance_id}."


class NoMoreFixedIps(Invalid):
    message = "No fixed IP addresses available for network: {network_id}"


class PortLimitExceeded(Forbidden):
    message = "Maximum number of ports exceeded"


class RequestedGroupNotFound(Invalid):
    message = "Security group {security_group_id} not found for project {project_id}."


class RequestedGroupAmbiguous(Conflict):
    message = "Multiple security_group matches found for name '{name}', use an ID to be more specific."
