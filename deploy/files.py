"""Writing configuration: private, whole or not at all, and untouched when nothing changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write_private(path: Path, text: str, mode: int = 0o600) -> bool:
    """Put ``text`` into ``path`` in one move, readable by the owner only. Returns whether anything changed."""
    data = text.encode()
    try:
        if path.read_bytes() == data:
            path.chmod(mode)
            return False
    except FileNotFoundError:
        pass
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(handle, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)
    return True


def toml_text(values: Mapping[str, Any]) -> str:
    """A flat TOML document: strings, numbers, booleans, lists of them, and one level of tables."""
    plain = [f"{name} = {_toml(value)}" for name, value in values.items() if not isinstance(value, Mapping)]
    tables = [
        "\n".join([f"\n[{name}]", *(f"{_key(key)} = {_toml(item)}" for key, item in value.items())])
        for name, value in values.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join([*plain, *tables]) + "\n"


def _key(name: str) -> str:
    return name if name.replace("_", "").replace("-", "").isalnum() else json.dumps(name)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # JSON's string escapes are a subset of TOML's basic strings, except the DEL character, which no setting holds.
    return json.dumps(str(value), ensure_ascii=False)
