"""Which filters and weighers decide: those of the settings, or what an administrator put in their place at run time.

Every process looks once a second whether there is a newer revision, so a change is in force everywhere soon after.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeVar

import structlog
from django.db import IntegrityError, transaction
from django.utils.module_loading import import_string

from computecloud.conf import conf
from computecloud.core.errors import Conflict, Invalid
from scheduling.filters.base import HostFilter
from scheduling.filters.registry import IN_TREE as FILTERS
from scheduling.models import RuleSet
from scheduling.rules import Rules
from scheduling.weighers.base import HostWeigher
from scheduling.weighers.registry import IN_TREE as WEIGHERS

log = structlog.get_logger(__name__)
FRESH_S = 1.0
LARGEST = 1e12
R = TypeVar("R")


class UnknownRule(Invalid):
    message = "There is no {kind} {name}. Known are: {known}."


class BadMultiplier(Invalid):
    message = "The multiplier of {name} must be a number between -{largest} and {largest}."


class RulesChanged(Conflict):
    message = "The scheduler's rules were changed meanwhile: revision {revision} is in force."


# --- names to rules


def find_filter(name: str) -> HostFilter:
    """A filter by its name, or by the dotted path of one that the settings make available. Raises UnknownRule."""
    known = known_filters()
    if _short(name) not in known:
        raise UnknownRule(kind="filter", name=name[:120], known=", ".join(sorted(known)))
    return known[_short(name)]()


def find_weigher(name: str) -> HostWeigher:
    """As ``find_filter``."""
    known = known_weighers()
    if _short(name) not in known:
        raise UnknownRule(kind="weigher", name=name[:120], known=", ".join(sorted(known)))
    return known[_short(name)]()


def known_filters() -> dict[str, type[HostFilter]]:
    """What may be switched on: name → class."""
    own = _own(conf().scheduler_filters)
    return FILTERS | {path: kind for path, kind in own.items() if issubclass(kind, HostFilter)}


def known_weighers() -> dict[str, type[HostWeigher]]:
    own = _own(list(conf().scheduler_weighers))
    return WEIGHERS | {path: kind for path, kind in own.items() if issubclass(kind, HostWeigher)}


def _short(name: str) -> str:
    """The product's own by their names, whatever module they are in."""
    return name.rpartition(".")[2] if name.startswith(("scheduling.filters.", "scheduling.weighers.")) else name


def _own(named: Sequence[str]) -> dict[str, type]:
    """A site's own classes by dotted path: those that the settings name, and those they make available."""
    found = {path: _imported(path) for path in (*named, *conf().scheduler_available) if "." in path}
    return {path: kind for path, kind in found.items() if isinstance(kind, type)}


@lru_cache(maxsize=256)
def _imported(path: str) -> object:
    """The class; None when it cannot be imported, which is logged and stops nothing but itself."""
    try:
        return import_string(path)
    except Exception as problem:  # noqa: BLE001 -- a site's own module must not stop placement
        log.error("a rule cannot be imported", path=path, error=repr(problem))
        return None


# --- what is in force


def build(revision: int, filters: Sequence[str] | None, weighers: Mapping[str, float] | None) -> Rules:
    """Rules from names; None: what the settings say, where a wrong name is logged and passed over.

    Raises UnknownRule, BadMultiplier.
    """
    weights = conf().scheduler_weighers if weighers is None else weighers
    problems: list[str] = []
    found: Iterator[HostFilter | None] = (_known(find_filter, name, problems) for name in conf().scheduler_filters)
    if filters is not None:
        found = (find_filter(name) for name in filters)
    weighing = [
        (_known(find_weigher, name, problems) if weighers is None else find_weigher(name), _checked(name, weight))
        for name, weight in weights.items()
    ]
    return Rules(
        tuple(rule for rule in found if rule),
        tuple((weigher, weight) for weigher, weight in weighing if weigher),
        conf().scheduler_host_subset_size,
        revision,
        is_default=filters is None and weighers is None,
        problems=tuple(problems),
    )


def _known(find: Callable[[str], R], name: str, problems: list[str]) -> R | None:
    """What the settings name, or None and a word about it: a slip there must not stop placement."""
    try:
        return find(name)
    except UnknownRule as problem:
        log.error("the settings name a rule that is none", problem=str(problem))
        problems.append(str(problem))
        return None


def _checked(name: str, weight: Any) -> float:
    if isinstance(weight, bool) or not isinstance(weight, int | float) or not -LARGEST <= weight <= LARGEST:
        raise BadMultiplier(name=name, largest=f"{LARGEST:g}")
    return float(weight)


class _InForce:
    """This process's rules, and when it last looked."""

    def __init__(self) -> None:
        self.rules: Rules | None = None
        self.looked_at = float("-inf")

    def get(self) -> Rules:
        if self.rules is None or time.monotonic() - self.looked_at > FRESH_S:
            revision = RuleSet.objects.values_list("revision", flat=True).first() or 0
            if self.rules is None or self.rules.revision != revision:
                self.rules = _stored(revision)
                log.info("scheduler rules in force", revision=revision, default=self.rules.is_default)
            self.looked_at = time.monotonic()
        return self.rules

    def forget(self) -> None:
        self.rules, self.looked_at = None, float("-inf")


def _stored(revision: int) -> Rules:
    """A stored revision. One that names what is gone (a site's module was removed) is passed over for the settings."""
    row = RuleSet.objects.filter(revision=revision).first()
    try:
        return build(revision, row.filters if row else None, row.weighers if row else None)
    except Invalid as problem:
        log.error("stored scheduler rules cannot be used", revision=revision, error=str(problem))
        return build(revision, None, None)


IN_FORCE = _InForce()


def in_force() -> Rules:
    """The rules of the moment; asks the database at most once a second."""
    return IN_FORCE.get()


def change(
    filters: Sequence[str] | None,
    weighers: Mapping[str, float] | None,
    *,
    expected: int | None,
    reason: str,
    user_id: str,
    user_name: str = "",
    request_id: str = "",
) -> RuleSet:
    """Put others in force and keep who did it. ``expected``: the revision that the caller saw, if it wants to be sure.

    Raises UnknownRule, BadMultiplier, RulesChanged.
    """
    build(0, filters, weighers)
    latest = RuleSet.objects.values_list("revision", flat=True).first() or 0
    if expected is not None and expected != latest:
        raise RulesChanged(revision=latest)
    row = RuleSet(
        revision=latest + 1,
        filters=None if filters is None else list(filters),
        weighers=None if weighers is None else dict(weighers),
        reason=reason,
        user_id=user_id,
        user_name=user_name,
        request_id=request_id,
    )
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError:
        raise RulesChanged(revision=latest + 1) from None
    IN_FORCE.forget()
    log.info("scheduler rules changed", revision=row.revision, user=user_id, reason=reason)
    return RuleSet.objects.get(revision=row.revision)
