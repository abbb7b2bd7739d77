"""The product's own source, parsed: what the architecture tests look at."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("computecloud", "dashboard", "tasks", "instances", "scheduling", "hosts", "integrations", "operations")


@lru_cache(maxsize=1)
def sources(*more: str) -> dict[Path, ast.Module]:
    """Each module of the product (and of further folders) by its path below the checkout."""
    found = {}
    for package in (*PACKAGES, *more):
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                found[path.relative_to(ROOT)] = ast.parse(path.read_text())
    return found


def module_of(path: Path) -> ModuleType:
    return importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))


def calls() -> Iterator[tuple[Path, ast.Call]]:
    """Every call in the product."""
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                yield path, node


def name_of(node: ast.expr) -> str:
    """The last word of what is called: ``filter`` of ``rows.filter(...)``."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def place(path: Path, node: ast.AST) -> str:
    return f"{path}:{getattr(node, 'lineno', '?')}"
