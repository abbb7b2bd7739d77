"""One cloud on this machine: where its files lie and what it was asked to be (`cloud.toml` in its state folder)."""

from __future__ import annotations

import fcntl
import os
import re
import socket
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from deploy.files import toml_text, write_private
from deploy.progress import Failure

CHECKOUT = Path(__file__).resolve().parent.parent
DEFAULT_PORT = 8774
EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104
DEFAULT_STATE = CHECKOUT / ".state"


@dataclass(frozen=True)
class Wish:
    """What `up` was asked for; kept, so that a later `up` without options means the same cloud."""

    fake: int = 0  # simulated hosts; 0: real ones
    port: int = DEFAULT_PORT
    listen: str = "127.0.0.1"
    public_url: str = ""  # empty: made from listen and port
    admin_networks: list[str] = field(default_factory=lambda: ["127.0.0.0/8", "::1/128"])
    database_url: str = ""  # empty: SQLite in the state folder
    restoring: bool = False  # between `restore` and `restored`
    broker_url: str = ""  # empty: a Redis of its own
    broker_management_url: str = ""  # RabbitMQ's HTTP API, where hosts' users are made
    conductor_port: int = 0  # ports for simulated hosts, chosen at the first `up`; real hosts have an own network
    broker_port: int = 0
    tls: bool = False  # https, conductor and broker with the cloud's own authority
    hosts_listen: str = ""  # address of this machine at which hosts on other machines find conductor and broker
    joined: str = ""  # this machine is a host of the cloud whose conductor is there, and no cloud itself
    added: list[str] = field(default_factory=list)  # hosts of this machine beside those that `up` makes
    removed: list[str] = field(default_factory=list)  # hosts that `up` makes no more


@dataclass(frozen=True)
class Cloud:
    """Paths of one cloud. Everything it writes lies below ``state`` (mode 0700)."""

    state: Path
    wish: Wish

    @property
    def run(self) -> Path:
        """Pid files and sockets."""
        return self.state / "run"

    @property
    def log(self) -> Path:
        return self.state / "log"

    @property
    def etc(self) -> Path:
        """Generated configuration; written anew by every `up`."""
        return self.state / "etc"

    @property
    def data(self) -> Path:
        """What must not be lost: the database, image blobs, host identities."""
        return self.state / "data"

    @property
    def ca(self) -> Path:
        """The cloud's own certificate authority: its key, and the servers'."""
        return self.state / "ca"

    @property
    def trust(self) -> Path | None:
        """Whose certificates prove that somebody is this cloud; None without TLS."""
        return self.ca / "ca.crt" if self.wish.tls else None

    @property
    def static(self) -> Path:
        return self.state / "static"

    @property
    def config_file(self) -> Path:
        return self.etc / "computecloud.conf"

    @property
    def public_url(self) -> str:
        if self.wish.public_url:
            return self.wish.public_url.rstrip("/")
        return self.local_url

    @property
    def local_url(self) -> str:
        """Where this machine reaches the front, whatever the public name is."""
        host = "127.0.0.1" if self.wish.listen in EVERYWHERE else self.wish.listen
        return f"{'https' if self.wish.tls else 'http'}://{bracketed(host)}:{self.wish.port}"

    @property
    def database_url(self) -> str:
        return self.wish.database_url or f"sqlite:///{self.data}/cloud.sqlite3"

    @property
    def exists(self) -> bool:
        return (self.state / "cloud.toml").exists()

    def make_folders(self) -> None:
        """The state folder and its rooms, readable by the owner only."""
        for path in (self.state, self.run, self.log, self.etc, self.data, self.static):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.chmod(0o700)

    def save(self) -> None:
        write_private(self.state / "cloud.toml", toml_text(asdict(self.wish)))


def bracketed(address: str) -> str:
    """An address as URLs and nginx write it."""
    return f"[{address}]" if ":" in address else address


def load(state: Path) -> Cloud:
    """The cloud of a state folder, with default wishes when there is none yet."""
    state = Path(os.path.realpath(state))
    path = state / "cloud.toml"
    wish = Wish()
    if path.exists():
        values: dict[str, Any] = tomllib.loads(path.read_text())
        known = {name: value for name, value in values.items() if name in Wish.__dataclass_fields__}
        wish = replace(wish, **known)
    return Cloud(state=state, wish=wish)


def existing(state: Path) -> Cloud:
    """The cloud of a state folder. Raises Failure when nobody brought one up there."""
    cloud = load(state)
    if not cloud.exists:
        raise Failure(f"There is no cloud in {cloud.state}. Bring one up: ./cloud up --state {cloud.state}")
    return cloud


def check_path(state: Path) -> None:
    """Refuse state folders that cannot hold a cloud: odd characters, or too long for a unix socket (107 bytes)."""
    if not re.fullmatch(r"[A-Za-z0-9_./@+-]+", str(state)):
        raise Failure(
            f"The state folder {state} has characters that configuration files cannot hold. Choose another --state."
        )
    longest = state / "run" / "supervisor.sock.12345678"
    if len(str(longest).encode()) > 100:
        raise Failure(f"The state folder {state} has too long a path for unix sockets. Choose a shorter --state.")


def free_port(address: str = "127.0.0.1") -> int:
    """A TCP port nobody listens on now; kept in cloud.toml from then on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def alone(one: Cloud) -> Iterator[None]:
    """Only one command changes a cloud at a time. Raises Failure when another is at it."""
    path = one.state.with_name(f"{one.state.name}.lock")
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as busy:
            raise Failure(f"Another ./cloud command is changing the cloud in {one.state}: let it finish.") from busy
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
