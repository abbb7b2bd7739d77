"""``python -m deploy.guest build --out FILE.qcow2``: make the guest image."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from deploy.guest import BUILD_FAILURES, DEFAULT_CACHE, build


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m deploy.guest", description=__doc__)
    one = parser.add_subparsers(dest="verb", required=True).add_parser("build", help="make the image")
    one.add_argument("--out", type=Path, required=True, metavar="FILE.qcow2")
    one.add_argument("--cache", type=Path, default=DEFAULT_CACHE, metavar="DIR", help=f"default: {DEFAULT_CACHE}")
    asked = parser.parse_args()
    began = time.monotonic()
    try:
        fresh = build(asked.out, cache=asked.cache)
    except BUILD_FAILURES as failure:
        print(failure, file=sys.stderr)
        return 1
    size = asked.out.stat().st_size / 1e6
    print(f"{asked.out}: {'made' if fresh else 'unchanged'}, {size:.1f} MB, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
