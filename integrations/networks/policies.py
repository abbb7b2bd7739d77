"""Who may do what in the Network service. Names are Neutron's."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, ANYONE, MEMBER, PUBLIC, READER, Allow, Rule

PREFIX = "/network/v2.0"


def _resource(name: str, collection: str, what: str) -> list[Rule]:
    path = f"{PREFIX}/{collection}"
    one = f"{path}/{{id}}"
    return [
        Rule(f"create_{name}", MEMBER, f"Make {what}.", (("POST", path),)),
        Rule(f"get_{name}", READER, f"List and show {what}.", (("GET", path), ("GET", one))),
        Rule(f"update_{name}", MEMBER, f"Change {what}.", (("PUT", one),)),
        Rule(f"delete_{name}", MEMBER, f"Delete {what}.", (("DELETE", one),)),
    ]


def _tags(collection: str, name: str) -> list[Rule]:
    path = f"{PREFIX}/{collection}/{{id}}/tags"
    return [
        Rule(f"get_{name}:tags", READER, "List and check tags.", (("GET", path), ("GET", path + "/{tag}"))),
        Rule(f"update_{name}:tags", MEMBER, "Set tags.", (("PUT", path), ("PUT", path + "/{tag}"))),
        Rule(f"delete_{name}:tags", MEMBER, "Remove tags.", (("DELETE", path), ("DELETE", path + "/{tag}"))),
    ]


def _attribute(name: str, attribute: str, allow: Allow, what: str) -> list[Rule]:
    return [Rule(f"{verb}_{name}:{attribute}", allow, what) for verb in ("create", "update")]


RULES: list[Rule] = [
    Rule("get_network_versions", PUBLIC, "Version documents.", (("GET", "/network/"), ("GET", PREFIX))),
    Rule("get_extensions", ANYONE, "What this service offers.", (("GET", f"{PREFIX}/extensions"),)),
    *_resource("network", "networks", "networks"),
    *_attribute("network", "shared", ADMIN, "Share a network with every project."),
    *_attribute("network", "router:external", ADMIN, "Mark a network as external."),
    *_attribute("network", "provider", ADMIN, "Choose a network's segment."),
    Rule("get_network:provider", ADMIN, "See a network's segment."),
    *_resource("subnet", "subnets", "subnets"),
    *_resource("subnetpool", "subnetpools", "subnet pools"),
    *_attribute("subnetpool", "shared", ADMIN, "Share a subnet pool with every project."),
    *_attribute("subnetpool", "is_default", ADMIN, "Make a subnet pool the default one."),
    *_resource("port", "ports", "ports"),
    *_attribute("port", "binding", ADMIN, "Say on which host a port is."),
    Rule("get_port:binding", ADMIN, "See on which host a port is."),
    *_attribute("port", "device_owner:network", ADMIN, "Give a port a device owner that starts with network:."),
    *_attribute("port", "mac_address:foreign", ADMIN, "Choose a MAC address on another project's network."),
    *_attribute("port", "fixed_ips:foreign", ADMIN, "Choose an address on another project's network."),
    *_attribute("port", "port_security:foreign", ADMIN, "Switch port security off on another project's network."),
    *_resource("security_group", "security-groups", "security groups"),
    Rule("create_security_group_rule", MEMBER, "Make rules.", (("POST", f"{PREFIX}/security-group-rules"),)),
    Rule("get_security_group_rule", READER, "List and show rules.", (("GET", f"{PREFIX}/security-group-rules"),)),
    Rule("delete_security_group_rule", MEMBER, "Delete rules.", (("DELETE", f"{PREFIX}/security-group-rules/{{id}}"),)),
    *_resource("router", "routers", "routers"),
    Rule("add_router_interface", MEMBER, "Attach.", (("PUT", f"{PREFIX}/routers/{{id}}/add_router_interface"),)),
    Rule("remove_router_interface", MEMBER, "Detach.", (("PUT", f"{PREFIX}/routers/{{id}}/remove_router_interface"),)),
    *_tags("networks", "networks"),
    *_tags("subnets", "subnets"),
    *_tags("subnetpools", "subnetpools"),
    *_tags("ports", "ports"),
    *_tags("routers", "routers"),
    *_tags("security-groups", "security_groups"),
    Rule(
        "get_quota",
        READER,
        "A project's own limits; any project's for role admin.",
        (("GET", f"{PREFIX}/quotas/{{id}}"),),
    ),
    Rule("list_quotas", ADMIN, "Every project's limits.", (("GET", f"{PREFIX}/quotas"),)),
    Rule("update_quota", ADMIN, "Set limits.", (("PUT", f"{PREFIX}/quotas/{{id}}"),)),
    Rule("delete_quota", ADMIN, "Back to the defaults.", (("DELETE", f"{PREFIX}/quotas/{{id}}"),)),
    Rule("get_floatingip", READER, "List floating addresses: there are none.", (("GET", f"{PREFIX}/floatingips"),)),
    Rule("create_floatingip", MEMBER, "Refused: there is no external network.", (("POST", f"{PREFIX}/floatingips"),)),
    Rule("update_floatingip", MEMBER, "Refused.", (("PUT", f"{PREFIX}/floatingips/{{id}}"),)),
    Rule("delete_floatingip", MEMBER, "Refused.", (("DELETE", f"{PREFIX}/floatingips/{{id}}"),)),
    Rule("get_availability_zone", READER, "List zones.", (("GET", f"{PREFIX}/availability_zones"),)),
    Rule("get_agent", READER, "List agents; empty but for role admin.", (("GET", f"{PREFIX}/agents"),)),
]
