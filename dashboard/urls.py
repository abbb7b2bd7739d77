"""Paths below ``/dashboard/``."""

from __future__ import annotations

from django.urls import path

from dashboard import views

app_name = "dashboard"
urlpatterns = [
    path("", views.home, name="home"),
    path("auth-check", views.auth_check, name="auth-check"),
]
