"""Runs one WSGI or ASGI application on Granian in this very process.

Granian's own command keeps a parent process that only waits for its worker: 10 MB for each of our three servers, and a
worker that lives on as a stray when that parent is killed with -9. Restarting is the supervisor's work here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server.mp import MPServer

from computecloud.core.process import settle

THREADS_LIVE_S = 600  # an idle thread keeps its database connection for so long; Granian's longest


class OneProcess(MPServer):
    """A Granian server whose only worker is the calling process."""

    def _serve(self, spawn_target: Callable[..., None], target_loader: Callable[..., Any]) -> None:
        self._init_shared_socket()  # type: ignore[no-untyped-call]
        self._start_ipc()  # type: ignore[no-untyped-call]
        worker = self._spawn_worker(idx=0, target=spawn_target, callback_loader=target_loader)
        worker.inner.run()


def load(target: str) -> Any:
    """The application that ``module:name`` stands for."""
    module, _separator, name = target.partition(":")
    found = getattr(import_module(module), name)
    settle()
    return found


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="deploy.serve")
    parser.add_argument("target")
    parser.add_argument("--interface", choices=["wsgi", "asgi"], required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    wish = parser.parse_args(arguments)
    if wish.socket is not None:
        wish.socket.unlink(missing_ok=True)
    server = OneProcess(
        wish.target,
        address=wish.address,
        port=wish.port,
        uds=wish.socket,
        uds_permissions=0o600 if wish.socket else None,
        interface=Interfaces(wish.interface),
        workers=1,
        blocking_threads=wish.threads if wish.interface == "wsgi" else 1,
        blocking_threads_idle_timeout=THREADS_LIVE_S,
        runtime_threads=1,
        runtime_blocking_threads=4,
        http=HTTPModes.http1,
        websockets=wish.interface == "asgi",
    )
    server.serve(target_loader=load)


if __name__ == "__main__":
    main(sys.argv[1:])
