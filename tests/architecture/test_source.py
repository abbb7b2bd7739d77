"""What the source may not hold: other processes, SQL made of text, request keys as ORM keywords, uphill imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

from computecloud.core.command import run
from tests.architecture.source import PACKAGES, ROOT, calls, name_of, place, sources

# the one wrapper of the product; deploy's two run a developer's tools with the terminal attached
MAY_START_PROCESSES = {"computecloud/core/command.py"}
STARTERS = {"subprocess", "pty", "popen2", "commands", "multiprocessing"}
OS_STARTERS = {"system", "popen", "fork", "execv", "execve", "execvp", "execvpe", "execl", "spawnv", "posix_spawn"}

# keywords that the module itself spells out: reviewed, none comes from a request
STARRED_FILTERS = {
    "hosts/api/native.py": "up: a constant of the module",
    "integrations/identity/api/lists.py": "column: a value of the caller's constant table",
    "integrations/identity/login.py": "where: the domain by id or by name",
    "integrations/images/api/listing.py": "alias: a name made of a counter",
    "integrations/images/facade.py": "filters: keywords of the facade's callers",
    "instances/api/queries.py": "column: a constant of the caller",
    "instances/api/server_moves.py": "column: a value of the module's own table of filters",
    "instances/api/server_filters.py": "lookups: columns of the module's own table of filters",
}
QUERIES = {"filter", "exclude", "get", "alias", "annotate", "order_by", "update", "values", "extra", "get_or_create"}
REQUEST_WORDS = {"GET", "POST", "data", "body", "query_params", "params", "lists", "items"}
SQL_CALLS = {"execute", "executemany", "raw", "RawSQL", "extra"}


@pytest.mark.row("S28")
def test_only_the_wrapper_starts_processes() -> None:
    found = []
    for path, tree in sources().items():
        if str(path) in MAY_START_PROCESSES:
            continue
        for node in ast.walk(tree):
            names = (
                [one.name for one in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
            if any(name.split(".")[0] in STARTERS for name in names):
                found.append(place(path, node))
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "os"
                and node.attr in OS_STARTERS
            ):
                found.append(place(path, node))
    assert found == []


@pytest.mark.row("S28")
def test_no_command_goes_through_a_shell() -> None:
    shells = [
        place(path, call)
        for path, call in calls()
        for word in call.keywords
        if word.arg == "shell" and not (isinstance(word.value, ast.Constant) and word.value.value is False)
    ]
    assert shells == []


@pytest.mark.row("S29")
def test_no_request_key_becomes_an_orm_keyword() -> None:
    """S29: ``filter(**request.GET)`` lets ``?project__user__password__startswith=`` read the database."""
    found = []
    for path, call in calls():
        if name_of(call.func) not in QUERIES or not isinstance(call.func, ast.Attribute):
            continue
        for word in call.keywords:
            if word.arg is not None:
                continue
            words = {name_of(node) for node in ast.walk(word.value) if isinstance(node, ast.Attribute | ast.Name)}
            if words & REQUEST_WORDS and str(path) not in STARRED_FILTERS:
                found.append(place(path, call))
    assert found == []


@pytest.mark.row("S29")
def test_starred_filters_are_those_that_were_reviewed() -> None:
    found = {
        str(path)
        for path, call in calls()
        if isinstance(call.func, ast.Attribute)
        and call.func.attr in ("filter", "exclude")
        and any(word.arg is None for word in call.keywords)
    }
    assert found == set(STARRED_FILTERS)


def test_no_sql_is_made_of_text() -> None:
    """S29. Statements are constants or come from the ORM's compiler."""
    found = []
    for path, call in calls():
        if name_of(call.func) not in SQL_CALLS or not call.args:
            continue
        if any(isinstance(node, ast.JoinedStr | ast.Mod | ast.BinOp) for node in ast.walk(call.args[0])):
            found.append(place(path, call))
    assert found == []


@pytest.mark.row("S52")
def test_nothing_is_unpickled_or_evaluated() -> None:
    forbidden = {"eval", "exec", "pickle", "marshal", "shelve", "yaml"}
    found = []
    for path, tree in sources().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import) and {one.name.split(".")[0] for one in node.names} & forbidden:
                found.append(place(path, node))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in forbidden:
                found.append(place(path, node))
    assert found == []


def test_no_import_hides_in_a_function() -> None:
    found = [
        place(path, node)
        for path, tree in sources().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert found == []


def test_modules_stay_short() -> None:
    long = {
        str(path): lines
        for package in (*PACKAGES, "deploy")
        for path in (ROOT / package).rglob("*.py")
        if "migrations" not in path.parts and (lines := path.read_text().count("\n")) > 400
    }
    assert long == {}


def test_views_do_not_catch() -> None:
    """Errors are raised and told in one place (``http/faults.py``); a view that catches everything hides a bug."""
    found = []
    for path, tree in sources().items():
        if "api" not in path.parts:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and (node.type is None or name_of(node.type) == "Exception"):
                found.append(place(path, node))
    assert found == []


def test_the_street_runs_downhill() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    output = run([str(linter), "--no-cache"], cwd=ROOT, timeout_s=120)
    assert b"0 broken" in output


# run once, when a process starts, before it has other threads
CONVERT_AT_START = {
    "computecloud/conf.py", "tasks/agent/identity.py", "tasks/agent/enrolment.py",
    "hosts/drivers/fake/driver.py", "hosts/drivers/fake/faults.py", "hosts/drivers/libvirt/options.py",
}  # fmt: skip
CONVERT_LEARNT = {"instances/actions/create.py"}  # the module converts once at its import


def test_decoders_are_made_at_import() -> None:
    """msgspec 0.22 crashes the process (SIGSEGV) when two threads learn of a type at the same time."""
    found = []
    for path, tree in sources().items():
        for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
            for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
                name = name_of(call.func)
                learns = name == "Decoder" or (name == "decode" and any(word.arg == "type" for word in call.keywords))
                converts = name == "convert" and str(path) not in CONVERT_AT_START | CONVERT_LEARNT
                if (learns or converts) and "msgspec" in ast.unparse(call.func):
                    found.append(place(path, call))
    assert found == []
