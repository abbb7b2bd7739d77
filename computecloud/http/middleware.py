"""The door of every request: its id, its service, caps that need no parsing, and the headers every answer carries."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

from computecloud.core import context, errors
from computecloud.core.ids import UUID_LIKE, new_uuid
from computecloud.http import faults, microversions
from computecloud.http.bodies import LARGEST_BODY
from computecloud.http.services import Service, service_of

log = structlog.get_logger("computecloud.access")
VERSION_DEPTH = 2  # slashes in /compute/v2.1
_GLOBAL_ID = re.compile(r"^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_STREAMED = re.compile(r"^/image/v2/images/[^/]+/(file|stage)$")


def _strip_project(path: str) -> str:
    """``/compute/v2.1/{project_id}/servers`` → ``/compute/v2.1/servers``: Nova's older form of every path."""
    parts = path.split("/", 4)
    if len(parts) >= 4 and parts[2] in ("v2.1", "v2") and (UUID_LIKE.match(parts[3]) or parts[3] == "%(project_id)s"):
        return "/".join([*parts[:3], *parts[4:]])
    return path


def _one_form(service: Service, path: str) -> str:
    """The form that URL patterns are written in: no trailing slash but for the service's root, no project segment.

    Nova knows no trailing slash below its version root: ``/os-simple-tenant-usage/`` names a project without a name.
    """
    bare = path.rstrip("/")
    if bare == service.prefix:
        return bare + "/"
    if service.name != "compute":
        return bare
    return _strip_project(bare if bare.count("/") <= VERSION_DEPTH else path)


class RequestMiddleware:
    """Outermost of our middleware; no database use."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        request.request_id = f"req-{new_uuid()}"
        reset = context.request_id.set(request.request_id)
        try:
            service = service_of(request.path_info)
            request.service = service
            request.public_path = request.path_info
            response = self._serve(request, service)
            return self._finish(request, service, response)
        finally:
            context.request_id.reset(reset)

    def _serve(self, request: Any, service: Service | None) -> HttpResponse:
        if service is None:
            return self.get_response(request)
        if "\x00" in request.path_info or "%00" in request.META.get("QUERY_STRING", ""):
            return faults.envelope(service.name, errors.Invalid("The character NUL is not allowed."))
        length = request.META.get("CONTENT_LENGTH") or "0"
        is_large = length.isdigit() and int(length) > LARGEST_BODY
        if is_large and service.name != "conductor" and not _STREAMED.match(request.path_info):
            return faults.envelope(service.name, errors.TooLarge())
        request.path_info = _one_form(service, request.path_info)
        response = self.get_response(request)
        if response.status_code in (404, 405, 500, 400) and "json" not in response.get("Content-Type", "json"):
            return faults.envelope(service.name, _plain(response.status_code))
        return response

    def _finish(self, request: Any, service: Service | None, response: HttpResponse) -> HttpResponse:
        response["X-OpenStack-Request-ID"] = request.request_id
        if service is None:
            return response
        if service.name == "compute":
            response["X-Compute-Request-ID"] = request.request_id
        version = getattr(request, "api_version", service.minimum)
        if version is not None:
            for name, value in microversions.echo(service, version).items():
                response[name] = value
        response["X-Content-Type-Options"] = "nosniff"
        log.debug("request", method=request.method, path=request.public_path, status=response.status_code)
        return response


def _plain(status: int) -> errors.CloudError:
    kinds = {404: errors.NotFound, 405: errors.MethodNotAllowed, 400: errors.Invalid}
    return kinds.get(status, errors.CloudError)()
