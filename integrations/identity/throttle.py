"""Counts failed logins by account and by address."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

from computecloud.conf import conf
from computecloud.http.throttle import MOST_KEYS, Failures


class LoginThrottle:
    """Who may still try. An address from which an account has logged in before is counted on its own, so that a
    stranger who guesses cannot lock the owner out."""

    def __init__(self, per_account: int, per_address: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.accounts = Failures(per_account, clock)
        self.addresses = Failures(per_address, clock)
        self._homes: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def _key(self, account: str, address: str) -> Hashable:
        with self._lock:
            return (account, address) if (account, address) in self._homes else account

    def address_blocked(self, address: str) -> bool:
        return self.addresses.exhausted(address)

    def account_blocked(self, account: str, address: str) -> bool:
        return self.accounts.exhausted(self._key(account, address))

    def failed(self, account: str, address: str) -> None:
        self.addresses.note(address)
        self.accounts.note(self._key(account, address))

    def succeeded(self, account: str, address: str) -> None:
        self.accounts.forget(self._key(account, address))
        with self._lock:
            self._homes[(account, address)] = None
            self._homes.move_to_end((account, address))
            if len(self._homes) > MOST_KEYS:
                self._homes.popitem(last=False)


THROTTLE = LoginThrottle(conf().identity_failures_per_account, conf().identity_failures_per_address)
