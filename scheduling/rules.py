"""Which filters and weighers decide, and how: one value, so that a decision can name the rules it was made by."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

import msgspec

from scheduling.filters.base import HostFilter
from scheduling.weighers.base import HostWeigher


@dataclass(frozen=True)
class Rules:
    """``subset_size``: the winner is drawn among so many of the best hosts; 1 takes the best one.

    ``revision`` 0: never changed at run time; ``is_default``: as the settings say. ``problems``: names in the settings
    that are none, passed over.
    """

    filters: tuple[HostFilter, ...]
    weighers: tuple[tuple[HostWeigher, float], ...]
    subset_size: int = 1
    revision: int = 0
    is_default: bool = True
    problems: tuple[str, ...] = ()

    def reads(self, column: str, aggregate_keys: Collection[str] = ()) -> bool:
        """Whether a filter, or a weigher that is not multiplied by 0, reads a column of ``scheduling.columns``."""
        return any(column in rule.needs for rule in self.filters) or any(
            column in weigher.needs and (weight != 0 or weigher.multiplier_key in aggregate_keys)
            for weigher, weight in self.weighers
        )

    @cached_property
    def described(self) -> bytes:
        """What tells these rules from others, for storing."""
        told: dict[str, Any] = {
            "filters": [_path(rule) for rule in self.filters],
            "weighers": [[_path(weigher), weight] for weigher, weight in self.weighers],
            "subset_size": self.subset_size,
        }
        return msgspec.msgpack.encode(told)

    @cached_property
    def key(self) -> str:
        """32 characters that name these rules by their content."""
        return blake2b(self.described, digest_size=16).hexdigest()


def _path(rule: object) -> str:
    return f"{type(rule).__module__}.{type(rule).__qualname__}"
