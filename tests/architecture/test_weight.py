"""What a process must not load: each of these costs memory in every process of the cloud."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys, django
django.setup()
import {module}
heavy = [name for name in {heavy!r} if name in sys.modules]
assert not heavy, heavy
"""


@pytest.mark.parametrize(
    ("role", "module", "heavy"),
    [
        (
            "agent",
            "tasks.host",
            ["numpy", "django.contrib.admin", "rest_framework.views", "pyroute2", "libvirt", "flower"],
        ),
        ("conductor", "tasks.conductor.urls", ["numpy", "drf_spectacular", "unfold", "flower"]),
        ("cloud", "computecloud.urls", ["flower"]),  # NumPy since it answers what-if: docs/decisions/0170
    ],
)
def test_a_process_loads_only_its_own_part(role: str, module: str, heavy: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module, heavy=heavy)],
        env={**os.environ, "COMPUTECLOUD_ROLE": role},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
