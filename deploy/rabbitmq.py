"""A private RabbitMQ in a temporary folder: own node name, ports, cookie and data, gone when its user is done with it.

Debian's wrapper in /usr/sbin insists on its own account and data folder; the script below it does not.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from computecloud.core.command import run, start_detached
from deploy import pids
from deploy.cloud import CHECKOUT, free_port
from deploy.progress import Failure

SCRIPT = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
SERVER, NAMES = "rabbitmq", "epmd"
START_S = 90


def _port() -> int:
    return free_port()


@dataclass
class Server:
    """One broker on the loopback. Its ports and data stay the same through ``kill`` and ``start``."""

    folder: Path
    port: int = field(default_factory=_port)
    names_port: int = field(default_factory=_port)  # of its own name server, epmd
    nodes_port: int = field(default_factory=_port)
    password: str = field(default_factory=lambda: secrets.token_hex(12))
    management_port: int = 0  # of its HTTP API; 0: none

    @property
    def url(self) -> str:
        return f"amqp://cloud:{self.password}@127.0.0.1:{self.port}//"

    @property
    def management_url(self) -> str:
        return f"http://cloud:{self.password}@127.0.0.1:{self.management_port}"

    @property
    def pid(self) -> int | None:
        running = pids.find(self.folder, SERVER)
        return running.pid if running else None

    def answers(self) -> bool:
        """Whether it takes connections and speaks AMQP."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=2) as line:
                line.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(line.recv(1))
        except OSError:
            return False

    def start(self, wait: bool = True) -> None:
        """Start it, and its name server when that does not run. Raises Failure."""
        if not SCRIPT.exists():
            raise Failure("RabbitMQ is not installed: apt-get install -y --no-install-recommends rabbitmq-server")
        self._write_settings()
        if pids.find(self.folder, NAMES) is None:
            self._launch(NAMES, "epmd", "-port", str(self.names_port), "-address", "127.0.0.1")
        self._launch(SERVER, str(SCRIPT))
        if wait:
            self.wait()

    def wait(self) -> None:
        """Until it answers. Raises Failure with the end of its log."""
        until = time.monotonic() + START_S
        while not self.answers():
            if time.monotonic() > until:
                raise Failure(f"RabbitMQ did not start:\n{(self.folder / 'out').read_text()[-2000:]}")
            time.sleep(0.1)

    def control(self, *words: str) -> str:
        """What `rabbitmqctl WORDS` says. Raises CommandFailed."""
        command = [str(SCRIPT.with_name("rabbitmqctl")), "-n", self._node, "-q", *words]
        return run(command, environment=self._environment()).decode()

    def kill(self) -> None:
        """As a crash would end it."""
        if (pid := self.pid) is not None:
            os.kill(pid, signal.SIGKILL)
            pids.end([pid], grace_s=5)

    def stop(self) -> None:
        """End it and its name server."""
        found = [pids.find(self.folder, name) for name in (SERVER, NAMES)]
        pids.end([one.pid for one in found if one], grace_s=20)

    def _launch(self, name: str, *command: str) -> None:
        launcher = ["/bin/sh", str(CHECKOUT / "deploy" / "launch.sh"), str(self.folder), name, *command]
        # In its folder: what it writes when it crashes does not belong into the one that we happen to be in.
        start_detached(launcher, log=self.folder / "out", environment=self._environment(), cwd=self.folder)
        until = time.monotonic() + 5
        while pids.find(self.folder, name) is None and time.monotonic() < until:
            time.sleep(0.02)

    @property
    def _node(self) -> str:
        return f"cloud{self.port}@localhost"

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder),  # of Erlang's cookie
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the server instead of watching over it
            "ERL_EPMD_PORT": str(self.names_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self._node,
            "RABBITMQ_DIST_PORT": str(self.nodes_port),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "node.pid"),
            # It would take a core per scheduler and spin while it waits.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _write_settings(self) -> None:
        lines = [
            f"listeners.tcp.local = 127.0.0.1:{self.port}",
            "default_user = cloud",
            f"default_pass = {self.password}",
            "loopback_users.guest = true",
            "log.console = false",
            "log.file.level = warning",
            "disk_free_limit.absolute = 50MB",
        ]
        if self.management_port:
            lines += ["management.tcp.ip = 127.0.0.1", f"management.tcp.port = {self.management_port}"]
        (self.folder / "rabbitmq.conf").write_text("\n".join(lines) + "\n")
        (self.folder / "rabbitmq.conf").chmod(0o600)
        (self.folder / "enabled_plugins").write_text(f"[{'rabbitmq_management' if self.management_port else ''}].\n")


@contextmanager
def server(*, management: bool = False) -> Iterator[Server]:
    """A running broker; raises Failure when it is not installed or does not start."""
    folder = Path(tempfile.mkdtemp(prefix="cc-mq-"))
    one = Server(folder, management_port=free_port() if management else 0)
    try:
        one.start()
        yield one
    finally:
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """`python -m deploy.rabbitmq`: a broker for trying things; prints its URL and goes away with Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with server() as one:
        print(one.url, flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
