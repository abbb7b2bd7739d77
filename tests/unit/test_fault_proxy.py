"""The fault proxy itself: a test that relies on it must know that it does what it says."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from tests.support.proxy import Proxy


@pytest.fixture
def echo() -> Iterator[int]:
    """A server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(line: socket.socket) -> None:
        with line:
            try:
                while data := line.recv(1000):
                    line.sendall(data)
            except OSError:
                return

    def accept() -> None:
        while True:
            try:
                line, _address = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(line,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def call(proxy: Proxy) -> socket.socket:
    line = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
    line.settimeout(0.5)
    return line


def says(line: socket.socket, word: bytes) -> bytes:
    line.sendall(word)
    return line.recv(100)


def test_it_passes_what_is_sent(echo: int) -> None:
    with Proxy(echo) as proxy, call(proxy) as line:
        assert says(line, b"hello") == b"hello"


@pytest.mark.parametrize("reset", [False, True])
def test_cut_ends_lines_and_refuses_new_ones(echo: int, reset: bool) -> None:
    with Proxy(echo) as proxy, call(proxy) as line:
        assert says(line, b"hello") == b"hello"
        proxy.cut(reset=reset)
        if reset:
            with pytest.raises(ConnectionResetError):
                line.recv(10)
        else:
            assert line.recv(10) == b""
        with pytest.raises(OSError, match="reset"), call(proxy) as other:
            other.recv(10)
        proxy.heal()
        with call(proxy) as other:
            assert says(other, b"again") == b"again"


def test_a_black_hole_says_nothing_and_gives_back_all(echo: int) -> None:
    with Proxy(echo) as proxy, call(proxy) as line:
        says(line, b"hello")
        proxy.silence()
        with pytest.raises(TimeoutError):
            says(line, b"anybody?")
        proxy.heal()
        assert line.recv(100) == b"anybody?"


def test_half_open_swallows_answers_only(echo: int) -> None:
    with Proxy(echo) as proxy, call(proxy) as line:
        proxy.deafen()
        with pytest.raises(TimeoutError):
            says(line, b"hello")
        proxy.heal()
        assert line.recv(100) == b"hello"


def test_latency_is_felt(echo: int) -> None:
    with Proxy(echo) as proxy, call(proxy) as line:
        proxy.slow(0.1)
        began = time.monotonic()
        assert says(line, b"hello") == b"hello"
        assert time.monotonic() - began >= 0.2  # once each way
