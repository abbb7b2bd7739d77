"""Paths below /api/v1/ that this app serves."""

from __future__ import annotations

from django.urls import path

from operations.api.operations import OperationViewSet

urlpatterns = [
    path("operations", OperationViewSet.as_view({"get": "list"})),
    path("operations/<str:id>", OperationViewSet.as_view({"get": "retrieve"})),
]
