"""``manage.py reference policy|errors`` prints the pages of docs/reference that are tables of the code."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.urls import get_resolver

from computecloud.core.errors import CloudError
from computecloud.http.policy import TABLE, Allow, Rule

POLICY = """\
# Who may do what

Printed by `manage.py reference policy` from the one policy table (`computecloud/http/policy.py`); a test keeps it
current. A rule lets through a role in the project of the token and every role above it: admin, manager, member, reader.
Whatever has no rule is refused.

A thing of another project is answered 404, whatever the rule says. Rules that let "any valid token" through in Identity
are narrowed by the view to one's own user and projects, or to the domain of a domain's manager.
"""

ERRORS = """\
# Errors

Printed by `manage.py reference errors` from the tree of errors (`computecloud/core/errors.py` and each app's
`errors.py`); a test keeps it current. Each service tells them in its own envelope (`computecloud/http/faults.py`); the
Network API names the error in `NeutronError.type`. Braces stand for values of the case at hand.

What is not foreseen is a 500 with a fixed sentence and the request's id; its trace goes to the log only.
"""


def policy_page(rules: dict[str, Rule]) -> str:
    """Markdown: one table for each kind of person."""
    return "\n".join([POLICY, *(line for allow in Allow for line in _rules_of(allow, rules))])


def _rules_of(allow: Allow, rules: dict[str, Rule]) -> Iterator[str]:
    yield f"## {allow.value[0].upper()}{allow.value[1:]}\n"
    yield "| rule | what for |"
    yield "|---|---|"
    for name in sorted(name for name, rule in rules.items() if rule.allow is allow):
        yield f"| `{name}` | {_cell(rules[name].description).rstrip('.')} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def every_error(kind: type[CloudError] = CloudError) -> set[type[CloudError]]:
    """The error and all that are made of it, of the product's own modules."""
    found = {kind} if not kind.__module__.startswith("tests.") else set()
    for more in kind.__subclasses__():
        found |= every_error(more)
    return found


def errors_page(kinds: set[type[CloudError]]) -> str:
    """Markdown: one table for each status."""
    lines = [ERRORS]
    for status in sorted({kind.status for kind in kinds}):
        lines += [f"## {status} {HTTPStatus(status).phrase}\n", "| error | of | words |", "|---|---|---|"]
        rows = sorted((kind.__name__, kind.__module__, _cell(kind.message)) for kind in kinds if kind.status == status)
        lines += [f"| `{name}` | {module.removesuffix('.errors')} | {words} |" for name, module, words in rows]
        lines.append("")
    return "\n".join(lines)


class Command(BaseCommand):
    """Writes to standard output."""

    help = "Print a page of docs/reference from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("page", choices=("policy", "errors"))

    def handle(self, *_args: Any, page: str, **_options: Any) -> None:
        for urls in (None, "computecloud.urls_conductor"):
            get_resolver(urls).url_patterns  # noqa: B018  (loads every view, and with it every error)
        text = policy_page(TABLE) if page == "policy" else errors_page(every_error())
        self.stdout.write(text, ending="")
