"""Runs the product's management commands, with the cloud's settings."""

from __future__ import annotations

import sys
from pathlib import Path

from computecloud.core.command import CommandFailed, run
from deploy.cloud import CHECKOUT, Cloud
from deploy.progress import Failure


def manage(cloud: Cloud, *arguments: str, data: bytes | None = None, timeout_s: float = 300) -> str:
    """Output of ``manage.py ARGUMENTS``. Raises Failure with the end of what it wrote."""
    environment = {
        "COMPUTECLOUD_CONFIG": str(cloud.config_file),
        "PYTHONPATH": str(CHECKOUT),
        "COMPUTECLOUD_LOG_LEVEL": "WARNING",
    }
    try:
        return run(
            [sys.executable, str(CHECKOUT / "manage.py"), *arguments],
            data=data, timeout_s=timeout_s, cwd=CHECKOUT, environment=environment,
        ).decode()  # fmt: skip
    except CommandFailed as problem:
        raise Failure(f"manage.py {' '.join(arguments)} failed:\n{problem.output.strip()}") from problem


def fingerprint() -> str:
    """Changes whenever a migration or a static file of the checkout does; `up` skips both when it has not."""
    stamps: list[str] = []
    for pattern in ("*/migrations/*.py", "*/*/migrations/*.py", "*/static/**/*", "requirements.txt"):
        for path in CHECKOUT.glob(pattern):
            if path.is_file() and ".venv" not in path.parts:
                seen = path.stat()
                stamps.append(f"{path.relative_to(CHECKOUT)}:{seen.st_size}:{seen.st_mtime_ns}")
    return f"{Path(sys.executable)}\n" + "\n".join(sorted(stamps))
