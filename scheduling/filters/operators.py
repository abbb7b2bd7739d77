"""The little language of flavor extra specs: an operator, then what to compare with. Without one, equality of texts.

See https://docs.openstack.org/nova/latest/admin/scheduling.html; what is no number never passes a numeric comparison.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

NUMERIC: dict[str, Callable[[float, float], bool]] = {
    "=": operator.ge,  # "equal to or greater than", as it always was
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
}
TEXTUAL: dict[str, Callable[[str, str], bool]] = {
    "s==": operator.eq,
    "s!=": operator.ne,
    "s>=": operator.ge,
    "s>": operator.gt,
    "s<=": operator.le,
    "s<": operator.lt,
}
IN, ALL_IN, OR = "<in>", "<all-in>", "<or>"


def match(value: Any, wanted: str) -> bool:
    """Whether what a host has is what is wanted. ``value`` may be a list, for ``<in>`` and ``<all-in>``."""
    first, *words = wanted.split() or [""]
    text = str(value)
    if first == OR:
        return text in (word.strip() for word in wanted.split(OR)[1:])
    if first == ALL_IN:
        return bool(words) and all(word in value if isinstance(value, list) else word in text for word in words)
    if first == IN:
        return bool(words) and (words[0] in value if isinstance(value, list) else words[0] in text)
    if first in NUMERIC:
        try:
            return NUMERIC[first](float(text), float(words[0]))
        except (ValueError, IndexError):
            return False
    if first in TEXTUAL:
        return bool(words) and TEXTUAL[first](text, words[0])
    return text == wanted
