"""`./cloud backup FILE`: what must not be lost of a running cloud, in one private file.

The database first, in one consistent view; then the images that it knows: the bytes of a finished image never change.
What belongs to hosts (guests, disks, journals) is not the cloud's to take back and is left out.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from computecloud.core.command import run as run_program
from deploy import cloud as clouds
from deploy.cloud import Cloud
from deploy.progress import Failure, Progress

FORMAT = 1
MANIFEST, SQLITE, POSTGRES = "manifest.json", "database.sqlite3", "database.dump"
KEPT = (
    "cloud.toml", "secrets.toml", "settings.toml", "ca/*", "hosts/hosts.json", "data/.seeded.json", "data/.share.json",
    "data/redis.acl", "data/identities/*/identity.toml", "data/agent-*/credential.toml", "data/agent-*/*.crt",
    "data/agent-*/*.key", "images/*",
)  # fmt: skip
LONGEST_S = 3600


def files(cloud: Cloud) -> Iterator[Path]:
    """Everything but the database; no part of an upload under way."""
    for pattern in KEPT:
        yield from (path for path in sorted(cloud.state.glob(pattern)) if path.is_file() and path.suffix != ".part")


def plain_url(url: str) -> tuple[str, dict[str, str]]:
    """A PostgreSQL address that may stand on a command line, and the environment that has its password."""
    parts = urlsplit(url)
    name, _, host = parts.netloc.rpartition("@")
    user, _, password = name.partition(":")
    netloc = f"{user}@{host}" if user else host
    return urlunsplit(parts._replace(netloc=netloc)), {"PGPASSWORD": unquote(password)} if password else {}


def snapshot(cloud: Cloud, folder: Path) -> Path:
    """A consistent copy of the database, taken while everybody goes on."""
    if cloud.wish.database_url:
        target = folder / POSTGRES
        url, environment = plain_url(cloud.wish.database_url)
        dump = ["pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(target), "--dbname", url]
        run_program(dump, timeout_s=LONGEST_S, environment=environment)
        return target
    target = folder / SQLITE
    source = cloud.data / "cloud.sqlite3"
    with (
        closing(sqlite3.connect(f"file:{source}?mode=ro", uri=True, timeout=30)) as here,
        closing(sqlite3.connect(target)) as there,
    ):
        here.backup(there)
    return target


def manifest(cloud: Cloud) -> bytes:
    facts = {
        "format": FORMAT, "made_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "from": str(cloud.state),
        "url": cloud.public_url,
    }  # fmt: skip
    return json.dumps(facts, indent=2).encode()


def write(cloud: Cloud, target: Path, progress: Progress) -> None:
    """Whole or not at all, readable by its owner only. Raises Failure."""
    if target.exists():
        raise Failure(f"{target} exists: backups are not overwritten.")
    if not target.parent.is_dir():
        raise Failure(f"There is no folder {target.parent}.")
    part = target.with_name(f".{target.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with (
        tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as folder,
        os.fdopen(handle, "wb") as out,
        tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive,
    ):
        with progress.step("Database"):
            database = snapshot(cloud, Path(folder))
            text = manifest(cloud)
            entry = tarfile.TarInfo(MANIFEST)
            entry.size, entry.mode = len(text), 0o600
            archive.addfile(entry, io.BytesIO(text))
            archive.add(database, database.name)
        with progress.step("Secrets, authority, identities, images"):
            for path in files(cloud):
                archive.add(path, str(path.relative_to(cloud.state)), recursive=False)
    with part.open("rb") as done:
        os.fsync(done.fileno())
    part.rename(target)
    progress.say(f"{target}: {target.stat().st_size / 1e6:.1f} MB. It holds every secret of this cloud.")


def run(asked: argparse.Namespace) -> int:
    os.umask(0o077)
    cloud = clouds.existing(asked.state)
    with clouds.alone(cloud):
        write(cloud, Path(asked.file).absolute(), Progress())
    return 0
