"""A TCP proxy whose line can be cut, reset, silenced, slowed or left half open, while clients and server run on."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal, Self

Mode = Literal["open", "closed", "silent", "deaf"]
CHUNK = 65536


@dataclass(eq=False)
class Line:
    """One connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    pumps: list[asyncio.Task[None]] = field(default_factory=list)


class Proxy:
    """``with Proxy(server_port) as line:`` clients connect to ``line.port``. Every method works at once.

    Modes: ``open``; ``closed``: new connections are reset at once; ``silent``: accepted and kept, but nothing passes
    either way (a black hole); ``deaf``: what clients send arrives, answers do not (half open).
    """

    def __init__(self, server_port: int) -> None:
        self.server_port = server_port
        self.port = 0
        self.mode: Mode = "open"
        self.latency_s = 0.0
        self.passed = 0  # connections that were made through it
        self._lines: set[Line] = set()
        self._loop = asyncio.new_event_loop()
        self._may_pass = asyncio.Event()
        self._may_answer = asyncio.Event()
        self._listener: asyncio.Server | None = None
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._do(self._listen())
        self._set("open")
        return self

    def __exit__(self, *_error: object) -> None:
        self._do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # --- faults

    def heal(self) -> None:
        """Everything passes again, what was held back first."""
        self.latency_s = 0.0
        self._set("open")

    def cut(self, *, reset: bool = False) -> None:
        """End all lines, politely or by RST, and refuse new ones until ``heal``."""
        self._set("closed")
        self.drop(reset=reset)

    def drop(self, *, reset: bool = False) -> None:
        """End all lines; new ones may come at once."""
        self._do(self._drop(reset))

    def silence(self) -> None:
        """A black hole: the other side neither answers nor hangs up."""
        self._set("silent")

    def deafen(self) -> None:
        """Half open: requests arrive, answers get lost on the way until ``heal``."""
        self._set("deaf")

    def slow(self, seconds: float) -> None:
        """Each piece of data takes that long."""
        self.latency_s = seconds

    # --- the machinery, in the loop's thread

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _set(self, mode: Mode) -> None:
        def change() -> None:
            self.mode = mode
            for event, passes in ((self._may_pass, mode in ("open", "deaf")), (self._may_answer, mode == "open")):
                event.set() if passes else event.clear()

        self._call(change)

    def _call(self, change: Callable[[], None]) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (change(), done.set()))
        done.wait(10)

    async def _listen(self) -> None:
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._listener.sockets[0].getsockname()[1]

    async def _accept(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        if self.mode == "closed":
            _hang_up(client, reset=True)
            return
        try:
            answers, server = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            _hang_up(client, reset=True)
            return
        line = Line(client, server)
        self._lines.add(line)
        self.passed += 1
        line.pumps = [
            asyncio.create_task(self._pump(line, reader, server, self._may_pass)),
            asyncio.create_task(self._pump(line, answers, client, self._may_answer)),
        ]

    async def _pump(
        self, line: Line, source: asyncio.StreamReader, target: asyncio.StreamWriter, may: asyncio.Event
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(CHUNK):
                await may.wait()
                if self.latency_s:
                    await asyncio.sleep(self.latency_s)
                target.write(data)
                await target.drain()
        await may.wait()  # not even a hang-up passes a black hole
        self._close(line, reset=False)

    async def _drop(self, reset: bool) -> None:
        for line in list(self._lines):
            self._close(line, reset=reset)
            for pump in line.pumps:
                pump.cancel()

    def _close(self, line: Line, *, reset: bool) -> None:
        self._lines.discard(line)
        for end in (line.client, line.server):
            _hang_up(end, reset=reset)

    async def _end(self) -> None:
        if self._listener is not None:
            self._listener.close()
        await self._drop(reset=False)
        await asyncio.sleep(0)


def _hang_up(end: asyncio.StreamWriter, *, reset: bool) -> None:
    if reset:
        line = end.get_extra_info("socket")
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort() if reset else end.close()
