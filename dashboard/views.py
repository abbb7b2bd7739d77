"""The few views that are not the model admin's."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe


@never_cache
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Until the rich dashboard is here, the model admin's first page."""
    return HttpResponseRedirect(reverse("admin:index"))


@never_cache
@require_safe
def auth_check(request: HttpRequest) -> HttpResponse:
    """For the front's ``auth_request``: 204 for a logged-in administrator, else 401. Opens Flower's door."""
    user: Any = request.user
    return HttpResponse(status=204 if user.is_authenticated and user.is_staff else 401)
