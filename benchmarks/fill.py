#!/usr/bin/env python3
"""Fill a cloud with servers through its own API, then time the first page of the list. Standard library only.

    ./cloud up --fake 1000 --state /tmp/thousand --port 19600
    eval "$(./cloud env admin --state /tmp/thousand)"
    python3 benchmarks/fill.py --servers 20000 --state /tmp/thousand

Servers are asked for fifty at a time, without networks, and waited for every so many, so that a burst longer than the
deadline of an operation is no failure of the cloud. Prints one line of progress per thousand and the table at the end.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import time
import urllib.parse
from pathlib import Path
from typing import Any

FLAVOR = {"name": "fill.tiny", "vcpus": 1, "ram": 64, "disk": 1}


class Api:
    """One connection with a token."""

    def __init__(self) -> None:
        self.auth = urllib.parse.urlsplit(os.environ["OS_AUTH_URL"])
        self.connection = http.client.HTTPConnection(self.auth.netloc, timeout=600)
        self.token = ""
        self.log_in()

    def log_in(self) -> None:
        domain = {"name": os.environ.get("OS_USER_DOMAIN_NAME", "Default")}
        user = {"name": os.environ["OS_USERNAME"], "password": os.environ["OS_PASSWORD"], "domain": domain}
        scope = {"project": {"name": os.environ["OS_PROJECT_NAME"], "domain": domain}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        status, headers, answer = self._send("POST", f"{self.auth.path}/auth/tokens", body)
        assert status == 201, answer
        self.token = headers["X-Subject-Token"]
        self.project_id = answer["token"]["project"]["id"]

    def _send(self, method: str, path: str, body: Any = None) -> tuple[int, Any, Any]:
        headers = {"Content-Type": "application/json", "X-OpenStack-Nova-API-Version": "2.104"}
        if self.token:
            headers["X-Auth-Token"] = self.token
        self.connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = self.connection.getresponse()
        data = response.read()
        return response.status, response.headers, json.loads(data) if data else None

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """The answer; ``path`` below the Compute API."""
        status, _headers, answer = self._send(method, f"/compute/v2.1{path}", body)
        if status == 401:
            self.token = ""
            self.log_in()
            return self.call(method, path, body)
        if status >= 400:
            raise SystemExit(f"{method} {path}: {status} {answer}")
        return answer


def flavor_of(api: Api) -> str:
    for one in api.call("GET", "/flavors?is_public=None&limit=1000")["flavors"]:
        if one["name"] == FLAVOR["name"]:
            return str(one["id"])
    return str(api.call("POST", "/flavors", {"flavor": FLAVOR})["flavor"]["id"])


def image_of(api: Api) -> str:
    _status, _headers, answer = api._send("GET", "/image/v2/images?limit=1")
    return str(answer["images"][0]["id"])


def in_use(api: Api) -> int:
    return int(api.call("GET", "/limits")["limits"]["absolute"]["totalInstancesUsed"])


def building(api: Api) -> bool:
    return bool(api.call("GET", "/servers?status=BUILD&limit=1")["servers"])


def wait_for_builds(api: Api) -> None:
    while building(api):
        time.sleep(0.2)


def fill(api: Api, wanted: int, at_once: int, wait_every: int) -> tuple[int, float]:
    """Create what is missing; how many were made, and the seconds it took until none was building."""
    flavor, image = flavor_of(api), image_of(api)
    start, there = time.perf_counter(), in_use(api)
    made = since = 0
    while there + made < wanted:
        count = min(at_once, wanted - there - made)
        server = {"name": f"fill-{there + made}", "flavorRef": flavor, "imageRef": image, "networks": "none"}
        api.call("POST", "/servers", {"server": server | {"min_count": count, "max_count": count}})
        made, since = made + count, since + count
        if since >= wait_every:
            wait_for_builds(api)
            since = 0
            print(f"{there + made} servers after {time.perf_counter() - start:.0f} s", flush=True)
    wait_for_builds(api)
    return made, time.perf_counter() - start


def first_page(api: Api, path: str) -> tuple[float, float, int]:
    """p50 and p95 in ms, and how many rows."""
    samples, rows = [], 0
    for _round in range(40):
        start = time.perf_counter()
        rows = len(api.call("GET", path)["servers"])
        samples.append((time.perf_counter() - start) * 1e3)
    samples.sort()
    return statistics.median(samples), samples[int(len(samples) * 0.95)], rows


def memory(state: Path | None) -> str:
    """Resident MB of each service process."""
    if state is None:
        return ""
    found = []
    for file in sorted((state / "run").glob("*.pid")):
        status = Path(f"/proc/{file.read_text().split()[0]}/status")
        if status.exists():
            kb = next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmRSS"))
            found.append(f"{file.stem} {kb / 1024:.0f}")
    return ", ".join(found)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--servers", type=int, default=20_000)
    parser.add_argument("--at-once", type=int, default=50)
    parser.add_argument("--wait-every", type=int, default=1000)
    parser.add_argument("--state", type=Path)
    asked = parser.parse_args()
    api = Api()
    unlimited = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    api.call("PUT", f"/os-quota-sets/{api.project_id}", unlimited)
    made, took = fill(api, asked.servers, asked.at_once, asked.wait_every)
    errors = len(api.call("GET", "/servers?status=ERROR&limit=1000")["servers"])
    print(f"\n{made} servers made in {took:.0f} s ({made / max(took, 0.001):.0f}/s), {errors} in ERROR\n")
    print("| first page of | rows | p50 ms | p95 ms |\n|---|---|---|---|")
    for name, path in (
        ("servers, 20 rows", "/servers?limit=20"),
        ("servers in detail, 20 rows", "/servers/detail?limit=20"),
        ("servers in detail, 100 rows", "/servers/detail?limit=100"),
        ("servers of all projects in detail, 20 rows", "/servers/detail?all_tenants=1&limit=20"),
        ("servers of one name, 20 rows", "/servers?name=fill-1999&limit=20"),
    ):
        p50, p95, rows = first_page(api, path)
        print(f"| {name} | {rows} | {p50:.1f} | {p95:.1f} |")
    print(f"\nmemory (MB): {memory(asked.state)}")


if __name__ == "__main__":
    main()
