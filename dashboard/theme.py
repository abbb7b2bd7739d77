"""Settings of the theme (django-unfold): title, navigation, first page. Plain data, read by Django's settings."""

from __future__ import annotations

from typing import Any

UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "computecloud",
    "SITE_HEADER": "computecloud",
    "SITE_SUBHEADER": "Administration",
    "SITE_SYMBOL": "cloud",
    "SITE_URL": None,
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "dashboard.overview.overview",
    "LOGIN": {"form": "dashboard.login.LoginForm"},
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": False,
        "navigation": "dashboard.navigation.navigation",
    },
    "COMMAND": {"search_models": True, "show_history": False},
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .013 236)",
            "100": "oklch(95% .026 236)",
            "200": "oklch(90% .058 236)",
            "300": "oklch(82.5% .101 236)",
            "400": "oklch(74% .138 236)",
            "500": "oklch(66% .148 238)",
            "600": "oklch(56.5% .142 241)",
            "700": "oklch(49% .122 243)",
            "800": "oklch(43% .1 243)",
            "900": "oklch(38% .083 243)",
            "950": "oklch(28.5% .062 245)",
        }
    },
}
