"""The cloud's files: who may read them, whether they can be read, and the hosts' identities."""

from __future__ import annotations

import stat
import tomllib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from computecloud.conf import Conf
from computecloud.core.finding import Finding, judge
from deploy import credentials, machines
from deploy.cloud import Cloud


def permissions(cloud: Cloud) -> Iterator[Finding]:
    """Nobody but the owner may read secrets."""
    needed = [cloud.state, cloud.state / credentials.FILE, cloud.state / "clouds.yaml", cloud.config_file]
    optional = [*cloud.etc.glob("*.conf"), *cloud.data.glob("cloud.sqlite3*"), *_identity_files(cloud)]
    readable = sorted(str(path) for path in {*needed, *optional} if path.exists() and _is_open(path))
    text = f"others may read {', '.join(readable)}" if readable else "secrets are readable by their owner only"
    yield judge(not readable, "files.permissions", "permissions", text, f"chmod go-rwx {' '.join(readable)}")
    missing = [str(path) for path in needed if not path.exists()]
    if missing:
        yield Finding(
            "files.missing", "wrong", "files", f"missing: {', '.join(missing)}", "./cloud up makes them again"
        )


def _is_open(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def settings(cloud: Cloud) -> Iterator[Finding]:
    """Every settings file is one that a process could start with."""
    files = [path for path in (cloud.config_file, *sorted(cloud.etc.glob("agent-*.conf"))) if path.exists()]
    wrong = [(path, problem) for path in files if (problem := _problem_of(path))]
    for path, problem in wrong:
        remedy = "./cloud up writes it anew. Settings of your own belong into settings.toml beside cloud.toml"
        yield Finding("files.settings", "wrong", f"settings {path.name}", f"{path}: {problem}", remedy)
    if not wrong:
        yield Finding("files.settings", "well", "settings", f"{len(files)} files can be read")


def _problem_of(path: Path) -> str:
    try:
        msgspec.convert(tomllib.loads(path.read_text()), Conf)
    except (OSError, ValueError) as problem:  # TOML's and msgspec's errors are ValueErrors
        return str(problem)
    return ""


def _identity_files(cloud: Cloud) -> list[Path]:
    return sorted(cloud.data.glob("identities/*/identity.toml"))


def identities(cloud: Cloud) -> Iterator[Finding]:
    """Each host of this machine has its identity file, and no two files are of one host."""
    owners: dict[str, list[Path]] = defaultdict(list)
    for path in _identity_files(cloud):
        try:
            owners[str(tomllib.loads(path.read_text())["uuid"])].append(path)
        except (OSError, ValueError, KeyError) as problem:
            remedy = f"Remove {path.parent} and ./cloud up: the host keeps its identity and gets a new credential"
            yield Finding("identity.damaged", "wrong", "identity", f"{path}: {problem}", remedy)
    for uuid, paths in owners.items():
        if len(paths) > 1:
            text = f"host {uuid} has {len(paths)} identity files: {', '.join(map(str, paths))}"
            remedy = "Two agents with one identity end each other: remove the copy, here or on the other machine"
            yield Finding("identity.copied", "wrong", "identity", text, remedy)
    lost = sorted(set(machines.of(cloud).names) - {path.parent.name for path in _identity_files(cloud)})
    if lost:
        remedy = "./cloud up enrols it again: it keeps its UUID and its servers, and gets a new credential"
        yield Finding("identity.lost", "wrong", "identity", f"no identity file of {', '.join(lost[:5])}", remedy)
    elif owners:
        yield Finding("identity", "well", "identities", f"{len(owners)} hosts have theirs")
