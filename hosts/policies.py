"""Who may read what is known of hosts. Names of Placement's rules as in its own policy reference."""

from __future__ import annotations

from computecloud.http.policy import ADMIN, PUBLIC, READER, Rule

_PLACEMENT = (
    ("resource_providers:list", "List resource providers", "/resource_providers"),
    ("resource_providers:show", "Show a resource provider", "/resource_providers/{uuid}"),
    ("resource_providers:inventories:list", "List inventories", "/resource_providers/{uuid}/inventories"),
    ("resource_providers:inventories:show", "Show an inventory", "/resource_providers/{uuid}/inventories/{class}"),
    ("resource_providers:usages", "Show what is used of a provider", "/resource_providers/{uuid}/usages"),
    ("resource_providers:aggregates:list", "List a provider's aggregates", "/resource_providers/{uuid}/aggregates"),
    ("resource_providers:traits:list", "List a provider's traits", "/resource_providers/{uuid}/traits"),
    ("resource_providers:allocations:list", "List a provider's allocations", "/resource_providers/{uuid}/allocations"),
    ("allocations:list", "Show a consumer's allocations", "/allocations/{consumer_uuid}"),
    ("allocation_candidates:list", "List allocation candidates", "/allocation_candidates"),
    ("resource_classes:list", "List resource classes", "/resource_classes"),
    ("resource_classes:show", "Show a resource class", "/resource_classes/{name}"),
    ("traits:list", "List traits", "/traits"),
    ("traits:show", "Show a trait", "/traits/{name}"),
)

RULES = [
    Rule("placement:version", PUBLIC, "Read the version document", (("GET", "/placement/"),)),
    Rule("placement:usages", READER, "Show a project's usage; another's for admins", (("GET", "/placement/usages"),)),
    *(Rule(f"placement:{name}", ADMIN, text, (("GET", f"/placement{path}"),)) for name, text, path in _PLACEMENT),
    Rule("computecloud:hosts:list", ADMIN, "List hosts", (("GET", "/api/v1/hosts"),)),
    Rule("computecloud:hosts:show", ADMIN, "Show a host", (("GET", "/api/v1/hosts/{id}"),)),
]
