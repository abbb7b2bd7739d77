"""Version documents, for clients that know only the root."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse

from computecloud.http.answers import answer
from computecloud.http.pagination import public_link
from computecloud.http.views import ServiceViewSet


def _v3() -> dict[str, Any]:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": public_link("/identity/v3/")}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.identity-v3+json"}],
    }


class VersionViewSet(ServiceViewSet):
    """What is spoken here: v3 and nothing else."""

    service: ClassVar[str] = "identity"
    policy: ClassVar[dict[str, str]] = {"choices": "identity:get_version", "v3": "identity:get_version"}

    def choices(self, request: Any) -> HttpResponse:
        location = public_link("/identity/v3/")
        return answer({"versions": {"values": [_v3()]}}, status=300, headers={"Location": location})

    def v3(self, request: Any) -> HttpResponse:
        return answer({"version": _v3()})
