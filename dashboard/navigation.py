"""The side bar: what is registered with the model admin, app by app, and the doors beside it."""

from __future__ import annotations

from typing import Any

from django.contrib.admin.models import LogEntry
from django.http import HttpRequest
from django.urls import reverse

from dashboard.site import site
from instances.models import Instance

GROUPS: tuple[tuple[str, str, str, dict[str, str]], ...] = (
    # app label, title, symbol of each model (others get the group's own)
    ("instances", "Compute", "dns", {"flavor": "straighten", "keypair": "key", "servergroup": "hub"}),
    ("hosts", "Hosts", "memory", {"aggregate": "select_all", "allocation": "pie_chart", "inventory": "inventory_2"}),
    ("scheduling", "Scheduling", "alt_route", {"decision": "fact_check"}),
    (
        "operations",
        "Operations",
        "bolt",
        {"outbox": "outbox", "event": "history", "quotagate": "speed", "consumer": "hearing"},
    ),
    ("images", "Images", "album", {}),
    ("networks", "Network", "lan", {"securitygroup": "shield", "port": "settings_ethernet", "router": "router"}),
    ("volumes", "Block storage", "hard_drive", {}),
    (
        "identity",
        "Identity",
        "badge",
        {"user": "person", "group": "group", "project": "folder", "domain": "domain", "role": "verified_user"},
    ),
    ("admin", "Audit", "manage_search", {}),
)
TITLES = {Instance: "Servers", LogEntry: "Admin log"}
DOORS = (
    {"title": "Overview", "icon": "dashboard", "link": lambda request: reverse("admin:index")},
    {"title": "Flower", "icon": "local_florist", "link": lambda request: "/flower/"},
)


def navigation(request: HttpRequest) -> list[dict[str, Any]]:
    """Groups of ``{title, collapsible, items: [{title, icon, link}]}``; only models with a page appear."""
    found: list[dict[str, Any]] = [{"title": None, "items": [dict(door) for door in DOORS]}]
    by_app: dict[str, list[Any]] = {}
    for model in site._registry:
        by_app.setdefault(model._meta.app_label, []).append(model)
    for label, title, symbol, symbols in GROUPS:
        models = sorted(by_app.get(label, []), key=lambda model: str(model._meta.verbose_name_plural))
        items = [
            {
                "title": TITLES.get(model, str(model._meta.verbose_name_plural).capitalize()),
                "icon": symbols.get(model._meta.model_name, symbol),
                "link": reverse(f"admin:{label}_{model._meta.model_name}_changelist"),
            }
            for model in models
        ]
        if items:
            found.append({"title": title, "collapsible": True, "items": items})
    return found
