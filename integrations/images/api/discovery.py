"""What a client reads before it does anything: versions, schemas, import methods, stores."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse

from computecloud.core.errors import NotFound
from computecloud.http.answers import answer
from computecloud.http.pagination import public_link
from computecloud.http.views import ServiceViewSet
from integrations.images.api.schemas import DOCUMENTS

MINORS = (9, 7, 6, 5, 4, 3, 2, 1, 0)


class DiscoveryViewSet(ServiceViewSet):
    """The documents of the service itself."""

    service = "image"
    policy = {
        "versions": "image:versions",
        "choices": "image:versions",
        "show_schema": "image:schemas",
        "import_methods": "image:discovery",
        "stores": "image:discovery",
    }

    def versions(self, request: Any) -> HttpResponse:
        return answer({"versions": _versions()})

    def choices(self, request: Any) -> HttpResponse:
        return answer({"versions": _versions()}, 300)

    def show_schema(self, request: Any, name: str) -> HttpResponse:
        if name not in DOCUMENTS:
            raise NotFound
        return answer(DOCUMENTS[name])

    def import_methods(self, request: Any) -> HttpResponse:
        methods = {"description": "Import methods available.", "type": "array", "value": []}
        return answer({"import-methods": methods})

    def stores(self, request: Any) -> HttpResponse:
        return answer({"stores": [{"id": "local", "default": "true", "description": "Files of this cloud"}]})


def _versions() -> list[dict[str, Any]]:
    links = [{"rel": "self", "href": public_link("/image/v2/")}]
    return [
        {"id": f"v2.{minor}", "status": "CURRENT" if minor == MINORS[0] else "SUPPORTED", "links": links}
        for minor in MINORS
    ]
