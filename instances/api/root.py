"""Version documents: what clients read first, without a token."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import answer
from computecloud.http.microversions import write
from computecloud.http.pagination import public_link
from computecloud.http.services import BY_NAME
from computecloud.http.views import ServiceViewSet

SERVICE = BY_NAME["compute"]
PATHS = {"v2.0": "/compute/v2/", "v2.1": "/compute/v2.1/"}


def _range(version_id: str) -> tuple[str, str]:
    """Newest and oldest microversion; the old v2.0 has none."""
    if version_id == "v2.0" or SERVICE.maximum is None or SERVICE.minimum is None:
        return "", ""
    return write(SERVICE.maximum), write(SERVICE.minimum)


def brief(version_id: str) -> dict[str, Any]:
    """A version in the list."""
    newest, oldest = _range(version_id)
    return {
        "id": version_id,
        "status": "CURRENT" if version_id == "v2.1" else "DEPRECATED",
        "version": newest,
        "min_version": oldest,
        "updated": "2013-07-23T11:33:21Z" if version_id == "v2.1" else "2025-07-04T12:00:00Z",
        "links": [{"rel": "self", "href": public_link(PATHS[version_id])}],
    }


def full(version_id: str) -> dict[str, Any]:
    """A version's own document."""
    shown = brief(version_id)
    shown["links"].append({"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"})
    kind = f"application/vnd.openstack.compute+json;version={version_id.removeprefix('v').removesuffix('.0')}"
    shown["media-types"] = [{"base": "application/json", "type": kind}]
    return shown


class VersionViewSet(ServiceViewSet):
    """The list at the root and the document of each version."""

    service = "compute"
    policy = {"list": "compute:versions", "retrieve": "compute:versions", "by_id": "compute:versions"}

    def list(self, request: Any) -> HttpResponse:
        return answer({"versions": [brief(version_id) for version_id in PATHS]})

    def retrieve(self, request: Any, version_id: str) -> HttpResponse:
        return answer({"version": full(version_id)})

    def by_id(self, request: Any, version_id: str) -> HttpResponse:
        if version_id != "v2.1":
            raise NotFound
        return answer({"version": full(version_id)})
