"""Broker and database, asked as the services ask them: do they answer, to our password, and can they be written?"""

from __future__ import annotations

import fcntl
import socket
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from computecloud.core.finding import Finding
from deploy import credentials, pids
from deploy.cloud import Cloud

PATIENCE_S = 3.0
LARGEST_CHECKED = 256 * 2**20  # bytes of SQLite that are read through
SERVER_PORTS = {"amqp": 5672, "amqps": 5671}


def broker(cloud: Cloud) -> Iterator[Finding]:
    """The broker takes connections; our own Redis answers to our password."""
    yield _given_broker(cloud.wish.broker_url) if cloud.wish.broker_url else _own_redis(cloud)


def _own_redis(cloud: Cloud) -> Finding:
    secrets = credentials.load(cloud.state)
    path = cloud.run / "redis.sock"
    try:
        answer = _ask_redis(path, secrets.broker_password if secrets else "")
    except OSError as problem:
        remedy = "./cloud up starts it; nothing is lost: the database has all work"
        return Finding("broker.down", "wrong", "redis", f"{path}: {problem}", remedy)
    if b"PONG" in answer:
        return Finding("broker", "well", "redis", "answers")
    said = answer.decode("utf-8", "replace").strip()
    if b"WRONGPASS" in answer or b"NOAUTH" in answer:
        remedy = (
            "It runs with another password than secrets.toml has: ./cloud up writes its settings, ./cloud restart redis"
        )
        return Finding("broker.password", "wrong", "redis", f"does not take our password: {said}", remedy)
    return Finding("broker.sick", "wrong", "redis", f"says {said}", "./cloud logs redis; ./cloud restart redis")


def _ask_redis(path: Path, password: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(PATIENCE_S)
        line.connect(str(path))
        line.sendall(f"AUTH {password}\r\nPING\r\n".encode())
        answer = b""
        while answer.count(b"\r\n") < 2:
            more = line.recv(400)
            if not more:
                break
            answer += more
    return answer


def _given_broker(url: str) -> Finding:
    parts = urlsplit(url)
    port = parts.port or SERVER_PORTS.get(parts.scheme, 6379)
    where = f"{parts.hostname}:{port}"
    try:
        socket.create_connection((parts.hostname or "127.0.0.1", port), timeout=PATIENCE_S).close()
    except OSError as problem:
        remedy = f"Start the broker at {where}; nothing is lost meanwhile: the database has all work"
        return Finding("broker.down", "wrong", "broker", f"{where}: {problem}", remedy)
    return Finding("broker", "well", "broker", f"{where} takes connections")


def database(cloud: Cloud) -> Iterator[Finding]:
    """It can be read and written now. (What is in it: product.py.)"""
    yield _postgres(cloud.wish.database_url) if cloud.wish.database_url else _sqlite(cloud)


def _sqlite(cloud: Cloud) -> Finding:
    path = cloud.data / "cloud.sqlite3"
    if not path.exists():
        remedy = "./cloud up makes an empty one; ./cloud restore FILE brings a backup back"
        return Finding("database.missing", "wrong", "database", f"{path} is not there", remedy)
    try:
        _wait_for_the_writers_lock(path)
        with closing(sqlite3.connect(path, timeout=PATIENCE_S, isolation_level=None)) as line:
            line.execute("BEGIN IMMEDIATE")
            line.execute("CREATE TABLE doctor_tries_to_write (x)")  # rolled back: a file opened to read refuses it
            line.execute("ROLLBACK")
            if path.stat().st_size < LARGEST_CHECKED:
                [said] = line.execute("PRAGMA quick_check(1)").fetchone()
                if said != "ok":
                    raise sqlite3.DatabaseError(said)
    except (sqlite3.Error, TimeoutError) as problem:
        return _sqlite_trouble(cloud, path, str(problem))
    return Finding("database", "well", "database", "can be read and written")


def _wait_for_the_writers_lock(path: Path) -> None:
    """Our processes queue at a lock file before they write. Raises TimeoutError when one of them keeps it."""
    lock = path.with_name(f"{path.name}.lock")
    if not lock.exists():
        return
    with lock.open() as file:
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as busy:
                if time.monotonic() > until:
                    raise TimeoutError(f"{lock} is locked") from busy
                time.sleep(0.05)
            else:
                return


def _sqlite_trouble(cloud: Cloud, path: Path, said: str) -> Finding:
    if "locked" in said:
        ours = {pid for name in pids.names(cloud.run) for pid in _tree(cloud, name)}
        holders = [pid for pid in pids.holders(path) if pid not in ours]
        by = f"; open in process {', '.join(map(str, holders))}, which is not ours" if holders else ""
        remedy = f"End {' '.join(map(str, holders))}" if holders else "./cloud restart api conductor control"
        return Finding(
            "database.locked", "wrong", "database", f"nobody can write for {PATIENCE_S:.0f} s: {said}{by}", remedy
        )
    if "readonly" in said:
        remedy = f"Let its owner write {path} and its folder: look at chattr, the mount (mount | grep ro,) and the disk"
        return Finding("database.readonly", "wrong", "database", f"cannot be written: {said}", remedy)
    remedy = "./cloud down, then ./cloud restore the last backup into a new state folder"
    return Finding("database.damaged", "wrong", "database", said, remedy)


def _tree(cloud: Cloud, name: str) -> list[int]:
    found = pids.find(cloud.run, name)
    return pids.tree(found.pid) if found else []


def _postgres(url: str) -> Finding:
    try:
        with psycopg.connect(url, connect_timeout=int(PATIENCE_S)) as line:
            row = line.execute("SHOW transaction_read_only").fetchone()
    except psycopg.Error as problem:
        remedy = "Start PostgreSQL, or give its address with ./cloud up --database"
        return Finding("database.down", "wrong", "database", str(problem).strip(), remedy)
    if row and row[0] == "on":
        remedy = "It is a standby or was made read-only: give the primary's address with ./cloud up --database"
        return Finding("database.readonly", "wrong", "database", "PostgreSQL takes no writes", remedy)
    return Finding("database", "well", "database", "PostgreSQL answers and takes writes")
