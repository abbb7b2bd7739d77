"""``/limits``: what a project may have and has, in Nova's old words."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.http.answers import answer
from computecloud.http.policy import authorize
from computecloud.http.services import Version
from computecloud.http.views import ServiceViewSet, query
from instances import quotas
from instances.api.queries import Params
from instances.api.schemas.types import STRING

LIMITS = {
    "maxTotalInstances": "instances",
    "maxTotalCores": "cores",
    "maxTotalRAMSize": "ram",
    "maxTotalKeypairs": "key_pairs",
    "maxServerMeta": "metadata_items",
    "maxImageMeta": "metadata_items",
    "maxServerGroups": "server_groups",
    "maxServerGroupMembers": "server_group_members",
    "maxPersonality": "injected_files",
    "maxPersonalitySize": "injected_file_content_bytes",
    "maxSecurityGroups": "security_groups",
    "maxSecurityGroupRules": "security_group_rules",
    "maxTotalFloatingIps": "floating_ips",
}
USED = {
    "totalInstancesUsed": "instances",
    "totalCoresUsed": "cores",
    "totalRAMUsed": "ram",
    "totalServerGroupsUsed": "server_groups",
    "totalSecurityGroupsUsed": "security_groups",
    "totalFloatingIpsUsed": "floating_ips",
}
GONE = {
    (2, 36): (
        "maxSecurityGroups", "maxSecurityGroupRules", "maxTotalFloatingIps", "totalSecurityGroupsUsed",
        "totalFloatingIpsUsed",
    ),
    (2, 39): ("maxImageMeta",),
    (2, 57): ("maxPersonality", "maxPersonalitySize"),
}  # fmt: skip
"""From which version on a word is no longer shown."""


def absolute(project_id: str, version: Version) -> dict[str, int]:
    """Limits and use of a project as a version shows them."""
    limits, used = quotas.project_limits(project_id), quotas.in_use(project_id)
    shown = {word: limits[name] for word, name in LIMITS.items()} | {word: used[name] for word, name in USED.items()}
    gone = {word for since, words in GONE.items() if version >= since for word in words}
    return quotas.only(shown, gone)


class LimitsViewSet(ServiceViewSet):
    """Limits of one's own project, or of another for administrators."""

    service = "compute"
    policy = {"list": "os_compute_api:limits"}

    @query({"tenant_id": STRING}, strict_since="2.75")
    def list(self, request: Any, params: Params) -> HttpResponse:
        project_id = self.actor.project_id or ""
        if params.get("tenant_id"):
            authorize(self.actor, "os_compute_api:limits:other_project")
            project_id = params["tenant_id"][0]
        return answer({"limits": {"rate": [], "absolute": absolute(project_id, request.api_version)}})
