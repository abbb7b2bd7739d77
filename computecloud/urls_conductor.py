"""The conductor's URL map: on its own listener, never on the public origin."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("conductor/v1/", include("tasks.conductor.urls"))]
