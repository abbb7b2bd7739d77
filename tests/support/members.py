"""Members who create, list and delete servers and write down every answer: what was promised must come true."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Call = Callable[..., tuple[int, Any]]
GONE = (OSError, http.client.HTTPException, ValueError)  # no answer, or half of one
SERVERS = "/compute/v2.1/servers"


@dataclass
class Ledger:
    """What clients were told. ``unknown``: no answer came, or one that leaves it open (5xx)."""

    created: dict[str, str] = field(default_factory=dict)  # id -> name, each a 202
    deleted: set[str] = field(default_factory=set)  # ids, each a 204
    unknown: set[str] = field(default_factory=set)  # names of creates
    unknown_deletes: set[str] = field(default_factory=set)  # ids
    refused: dict[int, int] = field(default_factory=dict)  # status -> how many
    unavailable: int = 0  # requests of any kind without an answer, or with a 5xx
    errors: list[str] = field(default_factory=list)  # 500s, word for word
    lists: int = 0
    requests: int = 0
    in_flight: set[str] = field(default_factory=set)  # changes that a client is waiting for at this moment
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def accepted(self) -> int:
        return len(self.created) + len(self.deleted)


class Member(threading.Thread):
    """One client. Seeded: what it wants next depends on its number and on what it was answered."""

    def __init__(
        self, number: int, seed: int, call: Call, server: dict[str, Any], ledger: Ledger, most: int, pause_s: float
    ) -> None:
        super().__init__(name=f"member-{number}", daemon=True)
        self.number, self.call, self.server, self.ledger = number, call, server, ledger
        self.random = random.Random(f"{seed}/{number}")
        self.most, self.pause_s = most, pause_s
        self.mine: list[str] = []
        self.made = 0
        self.ended = threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            self.once()
            self.ended.wait(self.random.uniform(0, 2 * self.pause_s))

    def once(self) -> None:
        dice = self.random.random()
        if len(self.mine) < self.most and (dice < 0.5 or not self.mine):
            self.create()
        elif dice < 0.85 and self.mine:
            self.delete(self.mine.pop(self.random.randrange(len(self.mine))))
        else:
            self.look()

    def create(self) -> None:
        self.made += 1
        name = f"member{self.number}-{self.made}"
        status, body = self._change(name, "POST", SERVERS, {"server": {**self.server, "name": name}})
        with self.ledger.lock:
            if status == 202:
                self.ledger.created[body["server"]["id"]] = name
                self.mine.append(body["server"]["id"])
            elif status == 0 or status >= 500:
                self.ledger.unknown.add(name)
            else:
                self.ledger.refused[status] = self.ledger.refused.get(status, 0) + 1

    def delete(self, server_id: str) -> None:
        status, _body = self._change(server_id, "DELETE", f"{SERVERS}/{server_id}")
        with self.ledger.lock:
            if status == 204:
                self.ledger.deleted.add(server_id)
            elif status == 0 or status >= 500:
                self.ledger.unknown_deletes.add(server_id)
                self.mine.append(server_id)
            elif status != 404:
                self.ledger.refused[status] = self.ledger.refused.get(status, 0) + 1
                self.mine.append(server_id)

    def look(self) -> None:
        status, body = self._ask("GET", f"{SERVERS}?limit=200")
        if status == 200:
            with self.ledger.lock:
                self.ledger.lists += 1
            assert isinstance(body["servers"], list)

    def _change(self, what: str, *asked: Any) -> tuple[int, Any]:
        with self.ledger.lock:
            self.ledger.in_flight.add(what)
        try:
            return self._ask(*asked)
        finally:
            with self.ledger.lock:
                self.ledger.in_flight.discard(what)

    def _ask(self, *asked: Any) -> tuple[int, Any]:
        """Status 0: no answer at all."""
        try:
            status, body = self.call(*asked)
        except GONE:
            status, body = 0, None
        with self.ledger.lock:
            self.ledger.requests += 1
            if status == 0 or status >= 500:
                self.ledger.unavailable += 1
            if status == 500:
                self.ledger.errors.append(f"{time.strftime('%H:%M:%S')} {asked[:2]}: {body}")
        if status == 0 or status >= 500:
            self.ended.wait(0.3)  # as a client does that was told to come back
        return status, body
