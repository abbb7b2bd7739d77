"""What pages for people need beside Django's own middleware: a content policy, and a door before the model admin."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse

from computecloud.conf import conf
from computecloud.http.clients import comes_from

Handler = Callable[[HttpRequest], HttpResponse]

# The theme (Alpine.js) evaluates expressions in attributes and sets inline styles; nothing comes from elsewhere.
CONTENT_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


class PageHeadersMiddleware:
    """A content security policy on every page."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
        return response


class AdminDoorMiddleware:
    """The model admin does not exist for addresses outside ``admin_networks`` (S50)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, args: object, kwargs: object) -> None:
        if request.path_info.startswith("/admin") and not comes_from(request, conf().admin_networks):
            raise Http404
