"""`./cloud restore FILE` and `./cloud restored`: a backup brought back into an empty cloud, and its hosts met again.

Between the two the cloud is in restore mode: hosts report, servers follow their guests, nothing is started or removed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path, PurePosixPath

import psycopg

from computecloud.core.command import run as run_program
from deploy import cloud as clouds
from deploy import config, credentials, machines, up
from deploy.backup import FORMAT, KEPT, LONGEST_S, MANIFEST, POSTGRES, SQLITE, plain_url
from deploy.cloud import Cloud
from deploy.management import manage
from deploy.progress import Failure, Progress

CLOUDS_OWN = ("cloud.toml", "secrets.toml", "data/cloud.sqlite3", "images")
HOSTS_OWN = re.compile(r"(data/(agent-[^/]+|identities)|hosts)/")  # what a host that lived on has is newer


def check_is_empty(state: Path) -> None:
    """Guests and identities of hosts may be there; nothing of a cloud. Raises Failure."""
    found = [name for name in CLOUDS_OWN if (state / name).exists()]
    if found:
        raise Failure(
            f"{state} holds {', '.join(found)}: a backup is restored into an empty cloud only. Move them away first "
            "(leave data/agent-* and hosts/: they are the hosts' own)."
        )


def read_manifest(archive: tarfile.TarFile) -> dict[str, object]:
    """Raises Failure for what is no backup of ours."""
    first = archive.next()
    stream = archive.extractfile(first) if first is not None and first.name == MANIFEST else None
    if stream is None:
        raise Failure("This file is no backup of a cloud.")
    facts: dict[str, object] = json.load(stream)
    if facts.get("format") != FORMAT:
        raise Failure(f"This backup has format {facts.get('format')}; this version reads {FORMAT}.")
    return facts


def unpack(archive: tarfile.TarFile, state: Path) -> Path:
    """Files of the known names only, each private; what hosts have already stays. Returns the database's copy."""
    database = None
    for entry in archive:
        if entry.name == MANIFEST:
            continue
        is_database = entry.name in (SQLITE, POSTGRES)
        if not entry.isfile() or not (is_database or _is_known(PurePosixPath(entry.name))):
            raise Failure(f"{entry.name} does not belong into a backup.")
        target = state / (f"run/{entry.name}" if is_database else entry.name)
        if HOSTS_OWN.match(entry.name) and target.exists():
            continue
        _write(archive, entry, target)
        database = target if is_database else database
    if database is None:
        raise Failure("This backup has no database.")
    return database


def _is_known(path: PurePosixPath) -> bool:
    """One of the names that a backup writes, no deeper and no higher."""
    depth = len(path.parts)
    return ".." not in path.parts and any(path.match(one) and depth == len(one.split("/")) for one in KEPT)


def _write(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = archive.extractfile(entry)
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as out:
        while source is not None and (chunk := source.read(2**20)):
            out.write(chunk)


def put_database(cloud: Cloud, copy: Path) -> None:
    """The copy becomes the database. Raises Failure when one is there."""
    kind = POSTGRES if cloud.wish.database_url else SQLITE
    if copy.name != kind:
        raise Failure(f"The backup holds {copy.name}: give --database of the same kind as the cloud had.")
    if not cloud.wish.database_url:
        copy.rename(cloud.data / "cloud.sqlite3")
        with closing(sqlite3.connect(cloud.data / "cloud.sqlite3")) as line:
            line.execute("PRAGMA journal_mode=WAL")
        return
    with psycopg.connect(cloud.wish.database_url) as line:
        found = line.execute("SELECT to_regclass('django_migrations')").fetchone()
    if found and found[0]:
        raise Failure("That database holds a cloud already: give an empty one.")
    url, environment = plain_url(cloud.wish.database_url)
    load = ["pg_restore", "--no-owner", "--no-privileges", "--exit-on-error", "--dbname", url, str(copy)]
    run_program(load, timeout_s=LONGEST_S, environment=environment)
    copy.unlink()


def _opened(file: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(file, mode="r:gz")
    except (OSError, tarfile.TarError) as problem:
        raise Failure(f"{file} is no backup of a cloud: {problem}") from problem


def run(asked: argparse.Namespace) -> int:
    """Everything is as it was, and the cloud is in restore mode; `up` then starts it."""
    os.umask(0o077)
    state = Path(os.path.realpath(asked.state))
    clouds.check_path(state)
    check_is_empty(state)
    one = clouds.load(state)
    progress = Progress()
    with clouds.alone(one), _opened(asked.file) as archive:
        facts = read_manifest(archive)
        with progress.step(f"Backup of {facts['made_at']}"):
            one.make_folders()
            copy = unpack(archive, state)
            wish = replace(clouds.load(state).wish, restoring=True)
            one = Cloud(state, replace(wish, database_url=asked.database) if asked.database else wish)
        with progress.step("Database"):
            put_database(one, copy)
            one.save()
            config.write_cloud(one, credentials.ensure(state), machines.of(one).network_address)
            manage(one, "migrate", "--no-input", "--verbosity", "0")
            manage(one, "restore_mode", "begin")
    progress.say(
        f"\nNow ./cloud up --state {state}: hosts report, servers follow guests, nothing is started or removed."
        f"\nThen ./cloud restored --state {state} lets the work go on; it says first what is undecided."
    )
    return 0


def end(asked: argparse.Namespace) -> int:
    """Leave restore mode. Raises Failure with what is undecided, unless forced."""
    one = clouds.existing(asked.state)
    if not one.wish.restoring:
        raise Failure(f"The cloud in {one.state} is not in restore mode.")
    with clouds.alone(one):
        print(manage(one, "restore_mode", "end", *(["--force"] if asked.force else [])), end="")
        one = Cloud(one.state, replace(one.wish, restoring=False))
        return up.bring_up(one, no_guest=True)
