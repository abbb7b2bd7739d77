"""What can be wrong with a request about a server, in Nova's words."""

from __future__ import annotations

from computecloud.core.errors import CloudError, Conflict, Forbidden, Invalid, NotFound, OverQuota


class InstanceNotFound(NotFound):
    message = "Instance {instance_id} could not be found."


class InstanceInvalidState(Conflict):
    message = "Cannot '{verb}' instance {instance_id} while it is in {attribute} {state}"


class InstanceIsLocked(Conflict):
    message = "Instance {instance_id} is locked"


class NotRescuable(Invalid):
    message = "Instance {instance_id} cannot be rescued: {reason}"


class CannotResizeDisk(Invalid):
    message = "Server disk was unable to be resized because: {reason}"


class SameFlavor(Invalid):
    message = "When resizing, instances must change flavor!"


class SameHost(Invalid):
    message = "Cannot migrate to the host where the server exists."


class UnshelveNeedsOffloaded(Conflict):
    message = (
        "Specifying an availability zone or a host when unshelving server \"{instance_id}\" with status \"{state}\" is "
        "not supported. The server status must be SHELVED_OFFLOADED."
    )


class UnshelveHostNotInZone(Conflict):
    message = "Host \"{host}\" is not in the availability zone \"{zone}\"."


class InterfaceAttachFailed(CloudError):
    message = "Failed to attach network adapter device to {instance_id}"


class FlavorNotFound(NotFound):
    message = "Flavor {flavor_id} could not be found."


class BadReference(Invalid):
    """Something named in a body that is not there: 400, not 404, as Nova words it."""


class FlavorTooSmall(Invalid):
    message = "{what}"


class TooManyInstances(OverQuota):
    message = "Quota exceeded for {overs}: Requested {requested}, but already used {used} of {limit} {overs}"


class HostNotReady(Conflict):
    message = "Compute service of {host} is unavailable at this time."


class ForcedHostForbidden(Forbidden):
    message = "Policy doesn't allow os_compute_api:servers:create:forced_host to be performed."
