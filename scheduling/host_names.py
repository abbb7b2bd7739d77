"""What hosts are called in one telling: by their names for administrators, by made-up ones for everybody else."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

from django.utils.crypto import salted_hmac

WORD = re.compile(r"[\w.-]+")
GONE = "a host that is gone"


class HostNames:
    """``host-1``, ``host-2``, ... hold within one telling (``key``) and are drawn anew for the next.

    So nobody learns from two decisions that their servers share a host. The draw depends on the cloud's secret key.
    """

    def __init__(self, key: str, ids: Sequence[str], names: Sequence[str], *, in_full: bool) -> None:
        shown = list(names) if in_full else _drawn(key, len(ids))
        self.in_full = in_full
        self._of = dict(zip(ids, shown, strict=True))
        self._id_of = {name: host_id for host_id, name in self._of.items()}
        if in_full:
            self._id_of |= {host_id: host_id for host_id in ids}
        self._instead = {} if in_full else dict(zip(names, shown, strict=True))

    def of(self, host_id: str) -> str:
        return self._of.get(host_id, GONE)

    def find(self, name: str) -> str | None:
        """The id of the host that is called so here; administrators may give an id too."""
        return self._id_of.get(name)

    def told(self, text: str) -> str:
        """A sentence with the hosts in it called as they are here: a site's own filter may name them."""
        return WORD.sub(lambda word: self._instead.get(word[0], word[0]), text) if self._instead else text


def _drawn(key: str, count: int) -> list[str]:
    numbers = list(range(1, count + 1))
    seed = salted_hmac("scheduling.host_names", key).hexdigest()
    random.Random(seed).shuffle(numbers)  # noqa: S311 -- the seed is secret, and the same draw is wanted again
    return [f"host-{number}" for number in numbers]
