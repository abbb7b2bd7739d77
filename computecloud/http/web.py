"""Sessions, CSRF and the like for pages only: the APIs take tokens and pay nothing for them (S49)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponse
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.security import SecurityMiddleware

from computecloud.http.pages import AdminDoorMiddleware, PageHeadersMiddleware

Handler = Callable[[HttpRequest], HttpResponse]
CHAIN: tuple[Any, ...] = (
    SecurityMiddleware,
    PageHeadersMiddleware,
    AdminDoorMiddleware,
    SessionMiddleware,
    CsrfViewMiddleware,
    AuthenticationMiddleware,
    MessageMiddleware,
    XFrameOptionsMiddleware,
)


class WebOnlyMiddleware:
    """Runs Django's web middleware for paths that belong to no API."""

    def __init__(self, get_response: Handler) -> None:
        self.api = get_response
        handler: Any = get_response
        self._view_hooks: list[Any] = []
        for kind in reversed(CHAIN):
            handler = kind(handler)
            if hasattr(handler, "process_view"):
                self._view_hooks.append(handler.process_view)
        self._view_hooks.reverse()
        self.web: Handler = handler

    def __call__(self, request: Any) -> HttpResponse:
        return self.api(request) if request.service is not None else self.web(request)

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.service is not None:
            return None
        for hook in self._view_hooks:
            response: HttpResponse | None = hook(request, view, args, kwargs)
            if response is not None:
                return response
        return None
