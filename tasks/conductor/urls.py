"""The conductor's URL map."""

from __future__ import annotations

from django.urls import path

from tasks.conductor.enrolment import CertificateViewSet, EnrolViewSet
from tasks.conductor.views import ImageViewSet, MoveViewSet, PresenceViewSet, WatchViewSet, WorkViewSet

urlpatterns = [
    path("authority", EnrolViewSet.as_view({"get": "authority"})),
    path("enrol", EnrolViewSet.as_view({"post": "enrol"})),
    path("certificate", CertificateViewSet.as_view({"post": "renew"})),
    path("register", PresenceViewSet.as_view({"post": "register"})),
    path("beat", PresenceViewSet.as_view({"post": "beat"})),
    path("take", WorkViewSet.as_view({"post": "take"})),
    path("renew", WorkViewSet.as_view({"post": "renew"})),
    path("finish", WorkViewSet.as_view({"post": "finish"})),
    path("observe", WatchViewSet.as_view({"post": "observe"})),
    path("moves/<str:move_id>/<str:disk>", MoveViewSet.as_view({"get": "retrieve", "put": "store"})),
    path("images/<str:pk>/data", ImageViewSet.as_view({"get": "retrieve", "put": "store"})),
]
