"""The OpenAPI document of our own API, made by drf-spectacular from the views; served, and committed under docs/."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson
from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer
from drf_spectacular.settings import patched_settings
from drf_spectacular.validation import validate_schema
from rest_framework.settings import api_settings

from computecloud.core.errors import NotFound
from computecloud.http.views import ServiceViewSet

PREFIX = "/api/v1"
SETTINGS: dict[str, Any] = {
    "TITLE": "computecloud",
    "DESCRIPTION": "What OpenStack's APIs have no words for: operations and hosts of this cloud.",
    "VERSION": "1",
    "OAS_VERSION": "3.0.3",
    "SCHEMA_PATH_PREFIX": "",
    "SCHEMA_PATH_PREFIX_INSERT": PREFIX,
    "COMPONENT_SPLIT_REQUEST": False,
    "AUTHENTICATION_WHITELIST": [],
    "SECURITY": [{"token": []}],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "token": {
                "type": "apiKey",
                "in": "header",
                "name": "X-Auth-Token",
                "description": "A token of the Identity service, POST /identity/v3/auth/tokens.",
            }
        }
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "computecloud.http.openapi.add_errors",
    ],
    "ENUM_NAME_OVERRIDES": {},
    "SORT_OPERATIONS": True,
}
ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "title", "message", "request_id"],
            "properties": {
                "code": {"type": "integer"},
                "title": {"type": "string"},
                "message": {"type": "string"},
                "request_id": {"type": "string"},
            },
        }
    },
}


def add_errors(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every operation may answer with the error envelope (``http.faults``)."""
    result["components"]["schemas"]["Error"] = ERROR
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    for methods in result["paths"].values():
        for operation in methods.values():
            operation["responses"]["default"] = {"description": "What went wrong.", "content": content}
    return result


def document(urlconf: str) -> dict[str, Any]:
    """The document for the views of one URL map. Raises jsonschema's ValidationError when it is not OpenAPI."""
    with patched_settings(SETTINGS):
        generator = SchemaGenerator(urlconf=urlconf, api_version=None)  # type: ignore[no-untyped-call]  # untyped library
        found: dict[str, Any] = generator.get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
        validate_schema(found)  # type: ignore[no-untyped-call]
    return found


def as_yaml(found: dict[str, Any]) -> bytes:
    """The form that is committed."""
    text: bytes = OpenApiYamlRenderer().render(found, renderer_context={})  # type: ignore[no-untyped-call]
    return text


@lru_cache(maxsize=4)
def _rendered(urlconf: str, form: str) -> tuple[bytes, str]:
    found = document(urlconf)
    if form == "json":
        return orjson.dumps(found), "application/vnd.oai.openapi+json"
    return as_yaml(found), "application/vnd.oai.openapi"


class SchemaViewSet(ServiceViewSet):
    """GET /api/v1/schema, as YAML or with ``?format=json``."""

    service = "native"
    policy = {"show": "computecloud:schema"}
    schema = None
    urlconf = "computecloud.urls_native"

    def show(self, request: Any) -> HttpResponse:
        form = request._request.GET.get(api_settings.URL_FORMAT_OVERRIDE or "format", "yaml")
        if form not in ("yaml", "json"):
            raise NotFound
        data, media = _rendered(self.urlconf, form)
        return HttpResponse(data, content_type=media)
