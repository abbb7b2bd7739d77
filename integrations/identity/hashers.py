"""The password hasher that PASSWORD_HASHERS names: Argon2id at OWASP's parameters, about 22 ms and 19 MiB each."""

from __future__ import annotations

from django.contrib.auth.hashers import Argon2PasswordHasher

from computecloud.conf import conf


class CloudArgon2Hasher(Argon2PasswordHasher):
    """One lane per hash, so that the login concurrency cap is also the cap on cores used."""

    time_cost = conf().identity_password_cost
    memory_cost = 19456
    parallelism = 1
