"""A small guest image of our own, made from Debian packages, for demonstration and tests."""

from __future__ import annotations

from deploy.guest.build import BUILD_FAILURES, DEFAULT_CACHE, build
from deploy.guest.packages import BuildFailed

__all__ = ["BUILD_FAILURES", "DEFAULT_CACHE", "BuildFailed", "build"]
