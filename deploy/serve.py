"""Runs one WSGI or ASGI application on Granian in this very process.

Granian's own command keeps a parent process that only waits for its worker: 10 MB for each of our three servers, and a
worker that lives on as a stray when that parent is killed with -9. Restarting is the supervisor's work here.

Two processes may serve the same address for a while, so that a restart refuses nobody: the newer one takes a unix
socket's name over when it is ready, or shares a TCP port; the older one, told to end, says goodbye first.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server.mp import MPServer

from computecloud.core.process import settle

GOODBYE_S = 1.0
THREADS_LIVE_S = 600  # an idle thread keeps its database connection for so long; Granian's longest


class Polite:
    """A WSGI application that says goodbye on every connection that it answers, once its process is leaving.

    Whoever keeps connections (the front, an agent) then opens the next one to the successor. Without it they might
    send a request at the very moment in which the connection is closed, and nobody may send a POST twice.
    """

    def __init__(self, application: Callable[..., Any]) -> None:
        self.application = application
        self.is_leaving = False

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        if not self.is_leaving:
            return self.application(environ, start_response)

        def with_goodbye(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(status, [*headers, ("Connection", "close")], *more)

        return self.application(environ, with_goodbye)

    def leave_at_sigterm(self) -> None:
        """From the main thread, before others are started: they inherit that the signal is blocked."""
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=self._wait, name="goodbye", daemon=True).start()

    def _wait(self) -> None:
        signal.sigwait({signal.SIGTERM})
        self.is_leaving = True
        time.sleep(GOODBYE_S)  # connections that are in use are used once more meanwhile
        os.kill(os.getpid(), signal.SIGINT)  # Granian finishes what it has accepted and ends


class OneProcess(MPServer):
    """A Granian server whose only worker is the calling process."""

    def _serve(self, spawn_target: Callable[..., None], target_loader: Callable[..., Any]) -> None:
        self._init_shared_socket()  # type: ignore[no-untyped-call]
        self._start_ipc()  # type: ignore[no-untyped-call]
        worker = self._spawn_worker(idx=0, target=spawn_target, callback_loader=target_loader)
        worker.inner.run()


def load(target: str, wish: argparse.Namespace, bound: Path | None) -> Any:
    """The application that ``module:name`` stands for; from now on new connections come to this process.

    ``bound``: the file of our unix socket, which takes its wanted name now.
    """
    module, _separator, name = target.partition(":")
    found = getattr(import_module(module), name)
    settle()
    if wish.interface == "wsgi":
        found = Polite(found)
        found.leave_at_sigterm()
    if bound is not None:
        bound.rename(wish.socket)
    if wish.ready is not None:
        wish.ready.write_text(str(os.getpid()))
    return found


def own_name(socket: Path) -> Path:
    """A name beside the wanted one for as long as we are not ready; what dead processes left is removed."""
    for stale in socket.parent.glob(f"{socket.name}.[0-9]*"):
        if not Path(f"/proc/{stale.suffix[1:]}").exists():
            stale.unlink(missing_ok=True)
    own = socket.with_name(f"{socket.name}.{os.getpid()}")
    own.unlink(missing_ok=True)
    return own


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="deploy.serve")
    parser.add_argument("target")
    parser.add_argument("--interface", choices=["wsgi", "asgi"], required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--socket", type=Path)
    parser.add_argument("--socket-mode", type=lambda text: int(text, 8), default=0o600, help="such as 0660")
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--ready", type=Path, help="file that gets our process id when we serve")
    wish = parser.parse_args(arguments)
    bound = own_name(wish.socket) if wish.socket is not None else None
    server = OneProcess(
        wish.target,
        address=wish.address,
        port=wish.port,
        uds=bound,
        uds_permissions=wish.socket_mode if bound else None,
        interface=Interfaces(wish.interface),
        workers=1,
        blocking_threads=wish.threads if wish.interface == "wsgi" else 1,
        blocking_threads_idle_timeout=THREADS_LIVE_S,
        runtime_threads=1,
        runtime_blocking_threads=4,
        http=HTTPModes.http1,
        websockets=wish.interface == "asgi",
    )
    server.serve(target_loader=lambda target: load(target, wish, bound))


if __name__ == "__main__":
    main(sys.argv[1:])
