"""What a query asks of providers: amounts, traits, aggregates; parsed once, matched against each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from computecloud.core.errors import Invalid
from hosts.api.placement.providers import Provider

Params = Mapping[str, Sequence[str]]
Version = tuple[int, int]
_CLASS = re.compile(r"^[A-Z0-9_]{1,255}$")
_TRAIT = re.compile(r"^!?[A-Z0-9_]{1,255}$")


@dataclass
class Wish:
    """Conditions on one provider. ``any_of`` holds sets of which at least one member must be there."""

    resources: dict[str, int] = field(default_factory=dict)
    traits_any_of: list[set[str]] = field(default_factory=list)
    traits_forbidden: set[str] = field(default_factory=set)
    aggregates_any_of: list[set[str]] = field(default_factory=list)
    aggregates_forbidden: set[str] = field(default_factory=set)
    name: str | None = None
    uuids: list[set[str]] = field(default_factory=list)

    def matches(self, provider: Provider) -> bool:
        return (
            (self.name is None or provider.name == self.name)
            and all(provider.uuid in uuids for uuids in self.uuids)
            and all(self._fits(provider, name, amount) for name, amount in self.resources.items())
            and all(provider.traits & wanted for wanted in self.traits_any_of)
            and not provider.traits & self.traits_forbidden
            and all(provider.aggregates & wanted for wanted in self.aggregates_any_of)
            and not provider.aggregates & self.aggregates_forbidden
        )

    @staticmethod
    def _fits(provider: Provider, name: str, amount: int) -> bool:
        stock = provider.stock.get(name)
        return stock is not None and stock.fits(amount)


def of_providers(params: Params, version: Version) -> Wish:
    """The query of GET /resource_providers. Raises Invalid."""
    wish = Wish(name=params["name"][-1] if "name" in params else None)
    wish.uuids = [{value} for name in ("uuid", "in_tree") for value in params.get(name, ())]
    _add_group(wish, params, "", version)
    return wish


def of_candidates(params: Params, version: Version) -> tuple[Wish, dict[str, dict[str, int]]]:
    """The query of GET /allocation_candidates: one wish, because a host has no parts, and the groups it was made of."""
    wish, groups = Wish(), {}
    suffixes = sorted({name.removeprefix("resources") for name in params if name.startswith("resources")})
    if not suffixes:
        raise Invalid("At least one request group (`resources` or `resources{$S}`) is required.")
    for suffix in suffixes:
        groups[suffix] = _amounts(params[f"resources{suffix}"])
    totals: dict[str, int] = defaultdict(int)
    for amounts in groups.values():
        for name, amount in amounts.items():
            totals[name] += amount
    for suffix in {
        name.removeprefix(kind) for name in params for kind in ("required", "member_of") if name.startswith(kind)
    }:
        _add_group(wish, params, suffix, version, with_resources=False)
    wish.resources = dict(totals)
    wish.uuids = [{value} for name, values in params.items() if name.startswith("in_tree") for value in values]
    return wish, groups


def _add_group(wish: Wish, params: Params, suffix: str, version: Version, *, with_resources: bool = True) -> None:
    if with_resources and f"resources{suffix}" in params:
        wish.resources = _amounts(params[f"resources{suffix}"])
    for text in params.get(f"required{suffix}", ()):
        _add_traits(wish, text, version)
    for text in params.get(f"member_of{suffix}", ()):
        _add_aggregates(wish, text, version)


def _amounts(values: Sequence[str]) -> dict[str, int]:
    """``VCPU:2,MEMORY_MB:512``"""
    found: dict[str, int] = {}
    for part in ",".join(values).split(","):
        name, _, amount = part.partition(":")
        if not _CLASS.match(name) or not (amount.isascii() and amount.isdigit() and int(amount[:18]) > 0):
            raise Invalid(f"Badly formed resources parameter. Expected resources=NAME:AMOUNT[,...]. Got: '{part[:80]}'")
        if name in found:
            raise Invalid(f"Badly formed resources parameter: {name} is there twice.")
        found[name] = int(amount[:18])
    return found


def _add_traits(wish: Wish, text: str, version: Version) -> None:
    """``A,B,!C`` (all, none), or from 1.39 ``in:A,B`` (any)."""
    if text.startswith("in:") and version >= (1, 39):
        names = text[3:].split(",")
        if not all(_TRAIT.match(name) and name[0] != "!" for name in names):
            raise Invalid(
                f"Invalid query string parameters: Expected 'required' to be a list of traits. Got: {text[:100]}"
            )
        wish.traits_any_of.append(set(names))
        return
    for name in text.split(","):
        if not _TRAIT.match(name) or (name[0] == "!" and version < (1, 22)):
            raise Invalid(
                f"Invalid query string parameters: Expected 'required' to be a list of traits. Got: {text[:100]}"
            )
        if name[0] == "!":
            wish.traits_forbidden.add(name[1:])
        else:
            wish.traits_any_of.append({name})


def _add_aggregates(wish: Wish, text: str, version: Version) -> None:
    """``UUID``, ``in:UUID,UUID``, and from 1.32 ``!UUID``, ``!in:UUID,UUID``."""
    forbidden = text.startswith("!")
    names = set(text.removeprefix("!").removeprefix("in:").split(","))
    if (forbidden and version < (1, 32)) or not all(names):
        raise Invalid(f"Invalid query string parameters: Expected 'member_of' to name aggregates. Got: {text[:100]}")
    if forbidden:
        wish.aggregates_forbidden |= names
    else:
        wish.aggregates_any_of.append(names)
