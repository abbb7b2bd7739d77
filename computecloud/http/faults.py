"""One home for what a client is told when something is wrong: each service's own envelope.

Bodies stay under 4 kB; an unexpected exception gives 500 with a fixed sentence, its trace goes to the log only.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied
from django.db import DataError, IntegrityError, InterfaceError, OperationalError
from django.http import Http404, HttpResponse
from rest_framework import exceptions as drf

from computecloud.core import context, errors
from computecloud.http.answers import answer

log = structlog.get_logger(__name__)
LONGEST = 2000

NOVA_KEYS = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "itemNotFound", 405: "badMethod",
    409: "conflictingRequest", 413: "overLimit", 415: "badMediaType", 429: "overLimit", 501: "notImplemented",
    503: "serviceUnavailable",
}  # fmt: skip


def _title(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def _nova(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {NOVA_KEYS.get(status, "computeFault"): {"code": status, "message": text}}


def _keystone(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {"error": {"code": status, "message": text, "title": _title(status)}}


def _glance(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {"code": f"{status} {_title(status)}", "title": _title(status), "message": text}


def _neutron(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {"NeutronError": {"type": type(error).__name__, "message": text, "detail": ""}}


def _placement(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {
        "errors": [
            {"status": status, "title": _title(status), "detail": text, "request_id": context.request_id.get()}
        ]
    }


def _native(error: errors.CloudError, status: int, text: str) -> dict[str, Any]:
    return {"error": {"code": status, "title": _title(status), "message": text, "request_id": context.request_id.get()}}


ENVELOPES: dict[str, Callable[[errors.CloudError, int, str], dict[str, Any]]] = {
    "compute": _nova, "volume": _nova, "identity": _keystone, "image": _glance, "network": _neutron,
    "placement": _placement, "native": _native, "conductor": _native,
}  # fmt: skip


def envelope(service: str, error: errors.CloudError) -> HttpResponse:
    """The answer for an error, in the envelope of a service."""
    headers = dict(error.headers)
    if error.status == 401:
        headers["WWW-Authenticate"] = "Keystone"
    body = ENVELOPES.get(service, _native)(error, error.status, str(error)[:LONGEST])
    return answer(body, error.status, headers)


def _from_drf(problem: drf.APIException) -> errors.CloudError:
    text = str(problem.detail)[:LONGEST]
    kinds = {
        401: errors.Unauthorized, 403: errors.Forbidden, 404: errors.NotFound, 405: errors.MethodNotAllowed,
        406: errors.NotAcceptable, 415: errors.UnsupportedMedia, 429: errors.TooManyRequests,
    }  # fmt: skip
    return kinds.get(problem.status_code, errors.Invalid)(text)


OVERTAKEN = ("deadlock detected", "could not serialize access", "database is locked", "database table is locked")


def was_overtaken(problem: BaseException) -> bool:
    """Whether another transaction came between: this one was rolled back whole and may simply be tried again."""
    return isinstance(problem, OperationalError) and any(words in str(problem) for words in OVERTAKEN)


def as_cloud_error(problem: BaseException) -> errors.CloudError:
    """Any exception as one of ours. What is not foreseen is logged with its trace and becomes a plain 500."""
    match problem:
        case errors.CloudError():
            return problem
        case drf.APIException():
            return _from_drf(problem)
        case Http404():
            return errors.NotFound()
        case PermissionDenied():
            return errors.Forbidden()
        case DataError():
            return errors.Invalid("A value in the request is outside of what can be stored.")
        case IntegrityError():
            # views refuse what they can see; what is left is a race that a constraint decided at commit
            log.warning("refused by a constraint", exc_info=problem)
            return errors.Conflict("The request conflicts with another one made at the same time; try again.")
        case OperationalError() | InterfaceError():
            log.warning("database unavailable", error=str(problem))
            return errors.Unavailable()
    log.error("unexpected error", exc_info=problem)
    return errors.CloudError()


def handle(problem: Exception, context_of_view: dict[str, Any]) -> HttpResponse:
    """DRF's exception handler (setting EXCEPTION_HANDLER)."""
    view = context_of_view.get("view")
    return envelope(getattr(view, "service", "native"), as_cloud_error(problem))
