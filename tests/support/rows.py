"""The reliability list: rows that a cloud must pass, and which tests show each, read from the tests' own marks.

A test says ``@pytest.mark.row("S33", "S34")``, or a parameter (``pytest.param(..., marks=pytest.mark.row("F04"))``),
or a class or a module (``pytestmark``) for all its tests. ``python -m tests.support.rows`` prints the page.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "rows.md"

TITLES: dict[str, str] = {
    "F01": "The API dies after the commit, before its answer: the request is neither lost nor done twice",
    "F02": "The API dies before the commit: nothing exists, no quota is used",
    "F03": "The scheduler dies after its claim: claim and dispatch are there together or not at all",
    "F04": "A worker dies at each step of a build: it is resumed or undone, nothing half made is left",
    "F05": "A worker dies at each step of a delete: it goes on, quota is given back once",
    "F15": "A worker is frozen past its lease and wakes up late: what it writes is refused",
    "F16": "A worker's main process dies and a child lives, and the reverse: no orphan goes on acting",
    "F17": "An operation that kills its worker is tried three times, then ends in an error",
    "F18": "The broker is down under load: requests are accepted, and done when it is back",
    "F19": "The broker restarts again and again: every consumer consumes again",
    "F20": "The broker forgets all messages: no operation is lost",
    "F21": "The broker is killed after it took a message: no operation is lost",
    "F22": "The broker is full or read-only: publishing fails aloud, the API goes on",
    "F23": "The database restarts under load: 503 or done, never half done",
    "F24": "One host cannot reach the cloud's state: its guests run on, nothing new starts, nothing is removed",
    "F25": "The database went back to an older backup: unknown guests are kept aside and listed, never removed",
    "F26": "Deadlocks and a locked database: tried again within bounds, never a 500",
    "F33": "A host's identity is lost, copied or renamed: no twin registers",
    "F34": "A message comes again while its work is running: it is done once",
    "F35": "One message delivered five times at once: one takes it",
    "F36": "A message an hour late, for what has ended or gone: nothing happens",
    "F37": "Stop, start, reboot, delete delivered out of order: the rows' order decides, delete wins",
    "F38": "Two schedulers and one last place: never more than there is, at any moment",
    "F39": "Parallel requests for one last thing: one wins, the others are told why, nothing is left",
    "F40": "A delete meets a build at every step: gone everywhere in the end",
    "F41": "A host's clock is wrong or jumps: leases and tokens do not care",
    "R10": "What fails on the new host holds nothing there: claims are those of the flavor and the host in force",
    "R11": "A server that is deleted during a move leaves nothing on either host, and nothing is claimed for it again",
    "R13": "An unshelve that fails leaves its server offloaded, and no claim is kept",
    "R18": "A host that is down is asked for no move: 409",
    "R24": "No two members of a group that stays apart meet by a move",
    "R25": "A host that was named for one move binds no later one",
    "R26": "A move to a named host that cannot take it is refused, and goes nowhere else",
    "S08": "Nobody names a place where an image lies",
    "S09": "A crafted image does not eat processor, memory or time",
    "S10": "A small image of giant size fills no disk",
    "S11": "The cap of an upload holds, and deleting during an upload leaves no bytes",
    "S12": "The image cache has a ceiling, however many variants are booted",
    "S13": "An active image's bytes and facts cannot be changed",
    "S24": "An empty or short secret is no secret: nothing starts with it, nothing signed with it is believed",
    "S26": "Text of a user never becomes part of a machine's definition",
    "S27": "Nothing that a user sends is written at a path of his choosing",
    "S28": "Text of a user reaches no shell and is no option of a command",
    "S29": "Request keys never become database lookups",
    "S30": "Huge, deep and wide bodies are refused early",
    "S31": "Lists, patterns, hints and unknown paths cost a bounded amount; errors stay short",
    "S32": "Nobody without a token makes rows, sessions or long log lines",
    "S33": "Knowing the id of another project's thing opens nothing, on any route, in any body",
    "S34": "A child is reached through its own parent only, and no filter widens the scope",
    "S35": "Copying names no source of another project",
    "S36": "A reader changes nothing; nobody edits who stands above him; a restricted credential makes no other",
    "S37": "Attributes that are not the caller's cannot be written",
    "S38": "Parallel creates never pass a quota together",
    "S39": "Whatever can be created has a quota or a cap",
    "S40": "What is done again is counted once: a server's allocations equal its flavor",
    "S43": "Identity is the token's alone; headers that claim one are not believed",
    "S44": "Tokens end with the role, user, project, password or credential they rest on",
    "S45": "A login tells nobody which accounts exist, by body, status or time",
    "S46": "Long passwords and many methods burn no processor; hashes are Argon2",
    "S47": "No step of a login can be left out, no unknown word is let through",
    "S48": "No known default opens a fresh cloud",
    "S51": "Secrets appear in no log, event, operation, message or refusal",
    "S52": "A forged message wakes up at most what was to be done anyway",
    "S53": "Nothing listens but what was asked for; a host reaches its own only, of conductor and broker alike",
    "S54": "A bad certificate is refused, of conductor and broker alike; TLS settings are real booleans",
}  # fmt: skip
"""Row id → what holds. F: faults, R: scenarios, S: attacks. A number that is missing is shown by no test yet."""

LEFT_OUT = {"skip", "xfail", "importorskip"}
"""What leaves a test out wherever it runs. ``skipif`` depends on the machine: the run itself fails then (conftest)."""


@dataclass(frozen=True)
class Shown:
    """A test, and whether its own text leaves it out."""

    row: str
    test: str
    is_skipped: bool


def _rows_in(nodes: list[ast.expr] | list[ast.stmt]) -> Iterator[str]:
    """Arguments of every ``….row(…)`` below these nodes."""
    for call in (found for node in nodes for found in ast.walk(node) if isinstance(found, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr == "row":
            for argument in call.args:
                if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                    raise ValueError(f"a row is named by a plain string, line {argument.lineno}")
                yield argument.value


def _skips(nodes: list[ast.expr] | list[ast.stmt]) -> bool:
    """Whether ``pytest.mark.skip`` or a like word stands below these nodes."""
    return any(
        isinstance(found, ast.Attribute) and found.attr in LEFT_OUT and "pytest" in ast.unparse(found.value)
        for node in nodes
        for found in ast.walk(node)
    )


def _shown_in(body: list[ast.stmt], path: str, outer: list[ast.expr]) -> Iterator[Shown]:
    marks = [
        one.value
        for one in body
        if isinstance(one, ast.Assign) and any(isinstance(to, ast.Name) and to.id == "pytestmark" for to in one.targets)
    ]
    is_left_out = _skips([one for one in body if not isinstance(one, ast.ClassDef | ast.FunctionDef)])
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _shown_in(node.body, f"{path}::{node.name}", [*outer, *marks, *node.decorator_list])
        elif isinstance(node, ast.FunctionDef) and node.name.startswith("test"):
            said = [*outer, *marks, *node.decorator_list]
            skipped = _skips(said) or is_left_out
            for row in dict.fromkeys(_rows_in(said)):
                yield Shown(row, f"{path}::{node.name}", skipped)


def shown(folder: Path = TESTS) -> list[Shown]:
    """Every row that a test below the folder shows, in order."""
    found = []
    for path in sorted(folder.rglob("test_*.py")):
        found += _shown_in(ast.parse(path.read_text()).body, str(path.relative_to(folder.parent)), [])
    return sorted(found, key=lambda one: (one.row, one.test))


def page() -> str:
    """docs/reference/rows.md."""
    tests: dict[str, list[str]] = {row: [] for row in TITLES}
    for one in shown():
        tests.setdefault(one.row, []).append(f"`{one.test}`" + (" (skipped)" if one.is_skipped else ""))
    lines = [
        "# The reliability list",
        "",
        "Printed by `python -m tests.support.rows` from the tests' own marks (`@pytest.mark.row`); a test keeps it",
        "current. F rows are faults, R rows scenarios, S rows attacks. A row's test that is skipped counts as failed.",
        "",
        f"{sum(1 for names in tests.values() if names)} of {len(TITLES)} rows are shown by a test.",
        "",
        "| row | what holds | shown by |",
        "|---|---|---|",
    ]
    lines += [f"| {row} | {TITLES[row]} | {'<br>'.join(names) or 'open'} |" for row, names in tests.items()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
