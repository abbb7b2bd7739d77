"""Settings of the test process, set before anything reads them: loaded as a plugin by pyproject.toml.

The database is SQLite in memory unless COMPUTECLOUD_DATABASE_URL says otherwise.
"""

from __future__ import annotations

import os
import tempfile

FOLDER = tempfile.mkdtemp(prefix="computecloud-test-")
DEFAULTS = {
    "COMPUTECLOUD_SECRET_KEY": "a key for tests only, forty characters long",
    "COMPUTECLOUD_STATE_DIR": FOLDER,
    "COMPUTECLOUD_DATABASE_URL": f"sqlite:///{FOLDER}/cloud.sqlite3",
    "COMPUTECLOUD_BROKER_URL": "memory://",
    "COMPUTECLOUD_AUTHENTICATOR": "tests.support.auth.authenticate",
    "COMPUTECLOUD_LOG_LEVEL": "WARNING",
}
for name, value in DEFAULTS.items():
    os.environ.setdefault(name, value)
