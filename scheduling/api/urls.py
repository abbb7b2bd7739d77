"""Paths below /api/v1/ that this app serves."""

from __future__ import annotations

from django.urls import path

from scheduling.api.decisions import DecisionViewSet
from scheduling.api.metrics import MetricsViewSet
from scheduling.api.replay import ReplayViewSet
from scheduling.api.rules import RevisionViewSet, RulesViewSet

urlpatterns = [
    path("decisions", DecisionViewSet.as_view({"get": "list"})),
    path("decisions/<str:id>", DecisionViewSet.as_view({"get": "retrieve"})),
    path("decisions/<str:id>/hosts", DecisionViewSet.as_view({"get": "hosts"})),
    path("decisions/<str:id>/why-not", DecisionViewSet.as_view({"get": "why_not"})),
    path("metrics", MetricsViewSet.as_view({"get": "show"})),
    path("placements/replay", ReplayViewSet.as_view({"post": "replay"})),
    path("scheduler", RulesViewSet.as_view({"get": "show", "put": "update", "delete": "reset"})),
    path("scheduler/revisions", RevisionViewSet.as_view({"get": "list"})),
]
