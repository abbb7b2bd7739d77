"""Every way in has a rule, every rule guards something (S36)."""

from __future__ import annotations

import ast
import re
from typing import Any

import pytest
from django.conf import settings

from computecloud.http.policy import TABLE
from instances.actions.registry import ACTIONS
from instances.api.server_actions import TABLE as SERVER_ACTIONS
from tests.architecture.source import module_of, sources
from tests.support.routes import Route, api_routes, every_pattern

ROUTES = [*api_routes(), *api_routes("computecloud.urls_conductor")]
ANY = "[a-z_:-]+"
NOT_OURS = ("/admin/", "/dashboard/")  # pages under a session; tests/api/test_dashboard_login.py closes them


def rules_of(route: Route) -> list[tuple[str, str, str | None]]:
    return [(verb, name, route.view.policy.get(name)) for verb, name in route.actions.items()]


def names_spelt_out() -> tuple[set[str], list[re.Pattern[str]]]:
    """Every text outside the policy modules, and a pattern for each text with values in it."""
    words, patterns = set(), []
    for path, tree in sources().items():
        if path.name.startswith("policies"):
            continue
        constants = vars(module_of(path)) if path.name != "__main__.py" else {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                words.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = [part_of(one, constants) for one in node.values]
                if sum(len(part) for part in parts if part != ANY) > 4:
                    patterns.append(re.compile("".join(parts)))
    return words, patterns


def part_of(part: ast.expr, constants: dict[str, Any]) -> str:
    """A piece of an f-string as a pattern: what the module's constants tell, else anything."""
    if isinstance(part, ast.Constant):
        return re.escape(str(part.value))
    assert isinstance(part, ast.FormattedValue)
    value = constants.get(part.value.id) if isinstance(part.value, ast.Name) else None
    return re.escape(value) if isinstance(value, str) else ANY


@pytest.mark.row("S36")
@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_every_way_in_has_a_rule_of_the_table(route: Route) -> None:
    for verb, name, rule in rules_of(route):
        assert callable(getattr(route.view, name, None)), f"{verb.upper()} {route.path}: no method {name}"
        assert rule in TABLE, f"{verb.upper()} {route.path} ({name}): rule {rule}"


def test_every_path_is_of_our_views_or_a_page() -> None:
    ours = {route.path for route in api_routes()}
    others = [path for path, _view in every_pattern() if path not in ours and not path.startswith(NOT_OURS)]
    assert others == []


def test_no_view_names_a_rule_for_a_method_it_has_not_got() -> None:
    dead = {
        f"{route.view.__name__}.{name}"
        for route in ROUTES
        for name in route.view.policy
        if not callable(getattr(route.view, name, None))
    }
    assert dead == set()


def test_every_rule_guards_something() -> None:
    asked = {rule for route in ROUTES for _verb, _name, rule in rules_of(route)}
    asked |= {action.rule for action in ACTIONS.values()}
    asked |= {entry.rule for entry in SERVER_ACTIONS.values()}
    words, patterns = names_spelt_out()
    idle = [name for name in set(TABLE) - asked - words if not any(one.fullmatch(name) for one in patterns)]
    assert sorted(idle) == []


def test_a_rule_tells_what_it_is_for() -> None:
    assert [name for name, rule in TABLE.items() if len(rule.description) < 6] == []


def test_the_api_knows_no_sessions() -> None:
    assert settings.REST_FRAMEWORK["DEFAULT_AUTHENTICATION_CLASSES"] == []
    assert {route.view.__name__ for route in ROUTES if route.view.authentication_classes} == set()
