"""The database and static files of one cloud: migrated, collected and seeded when something of them changed."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg

from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import write_private
from deploy.management import data_fingerprint, manage
from deploy.progress import Progress

APPLIED = "SELECT app, name FROM django_migrations ORDER BY app, name"


def _stamp_file(cloud: Cloud) -> Path:
    return cloud.data / ".prepared"


def _stamp(cloud: Cloud) -> str:
    return f"{cloud.database_url}\nfake: {bool(cloud.wish.fake)}\n{_applied(cloud)}\n{data_fingerprint()}"


def _applied(cloud: Cloud) -> str:
    """The database's own record of migrations: another one means another database, or a hand that undid some."""
    try:
        if cloud.wish.database_url:
            with psycopg.connect(cloud.wish.database_url, connect_timeout=10) as line:
                return str(line.execute(APPLIED).fetchall())
        with closing(sqlite3.connect(f"file:{cloud.data}/cloud.sqlite3?mode=ro", uri=True)) as line:
            return str(line.execute(APPLIED).fetchall())
    except (psycopg.Error, sqlite3.Error) as problem:
        return f"not known: {problem}"


def is_prepared(cloud: Cloud) -> bool:
    """Whether an earlier `up` prepared exactly this database with exactly this code."""
    path = _stamp_file(cloud)
    if not cloud.wish.database_url and not (cloud.data / "cloud.sqlite3").exists():
        return False
    return path.exists() and path.read_text() == _stamp(cloud) and (cloud.static / "admin").exists()


def prepare(cloud: Cloud, secrets: Secrets, progress: Progress) -> None:
    """Migrations, static files, first rows. Does nothing when an earlier `up` did it for the same code."""
    if is_prepared(cloud):
        return
    manage(cloud, "migrate", "--no-input", "--verbosity", "0")
    manage(cloud, "collectstatic", "--no-input", "--verbosity", "0")
    passwords = {"admin": secrets.admin_password, "demo": secrets.demo_password}
    kinds = ["--demo", *(["--fake"] if cloud.wish.fake else [])]
    told = manage(cloud, "seed_cloud", *kinds, "--passwords-from-stdin", data=json.dumps(passwords).encode())
    for line in told.splitlines():
        progress.note(f"seeded {line}")
    write_private(_stamp_file(cloud), _stamp(cloud))
