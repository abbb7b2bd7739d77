#!/usr/bin/env python3
"""POST to ACTIVE on a real host, against the same guest made by hand, in turn, in one run.

    eval "$(./cloud env demo)"; .venv/bin/python benchmarks/real_boot.py --state .state [--rounds 10]

By hand means: ``qemu-img create`` of an overlay on the same cached image, and ``virsh create`` of the very domain XML
that the cloud had made (another name, uuid and disk), inside the same host. Guests have no network and no config drive.
Prints one JSON object: both medians and the median of the ratios pair by pair.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from deploy import hosts


class Api:
    """The few calls that are needed, on one login."""

    def __init__(self) -> None:
        env = os.environ
        user = {"name": env["OS_USERNAME"], "domain": {"id": "default"}, "password": env["OS_PASSWORD"]}
        scope = {"project": {"name": env["OS_PROJECT_NAME"], "domain": {"id": "default"}}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": scope}}
        self.token = ""
        headers, token = self._send("POST", env["OS_AUTH_URL"] + "/auth/tokens", body)
        self.token = headers["X-Subject-Token"]
        self.urls = {
            service["type"]: endpoint["url"].rstrip("/")
            for service in token["token"]["catalog"]
            for endpoint in service["endpoints"]
            if endpoint["interface"] == "public"
        }

    def _send(self, method: str, url: str, body: Any = None) -> tuple[Any, Any]:
        request = urllib.request.Request(url, json.dumps(body).encode() if body else None, method=method)
        request.add_header("Content-Type", "application/json")
        request.add_header("OpenStack-API-Version", "compute 2.90")
        if self.token:
            request.add_header("X-Auth-Token", self.token)
        with urllib.request.urlopen(request, timeout=60) as answer:
            data = answer.read()
            return answer.headers, json.loads(data) if data else None

    def call(self, method: str, service: str, path: str, body: Any = None) -> Any:
        return self._send(method, self.urls[service] + path, body)[1]

    def boot(self, image: str, flavor: str) -> tuple[str, float]:
        """A server's id and the seconds from POST to ACTIVE."""
        server = {"name": "real-boot", "imageRef": image, "flavorRef": flavor, "networks": "none"}
        start = time.perf_counter()
        made = self.call("POST", "compute", "/servers", {"server": server})["server"]["id"]
        while True:
            status = self.call("GET", "compute", f"/servers/{made}")["server"]["status"]
            if status == "ACTIVE":
                return made, time.perf_counter() - start
            if status == "ERROR":
                sys.exit(f"server {made} went to ERROR")
            time.sleep(0.01)

    def delete(self, server: str) -> None:
        self.call("DELETE", "compute", f"/servers/{server}")
        while any(one["id"] == server for one in self.call("GET", "compute", "/servers")["servers"]):
            time.sleep(0.1)


def inside(host: hosts.Host, *words: str) -> str:
    """A command's output in the host's namespaces."""
    return subprocess.run([*host.enter, *words], check=True, capture_output=True, text=True).stdout


def find(state: Path, server: str) -> tuple[hosts.Host, str]:
    """Where the guest runs, and its definition."""
    for host in hosts.hosts(state):
        done = subprocess.run(
            [*host.enter, "virsh", "-q", "dumpxml", "--inactive", server], check=False, capture_output=True, text=True
        )
        if done.returncode == 0:
            return host, done.stdout
    sys.exit(f"no host has {server}")


def root_disk(xml: str) -> str:
    found = re.search(r"<source file=['\"]([^'\"]+disk-vda[^'\"]*)['\"]", xml)
    return found[1] if found else sys.exit("the domain has another shape than this benchmark knows")


def size_of(host: hosts.Host, disk: str) -> int:
    """Virtual size, bytes."""
    told = inside(host, "qemu-img", "info", "-U", "-f", "qcow2", "--output=json", disk)
    return int(json.loads(told)["virtual-size"])


def by_hand(host: hosts.Host, xml: str, size: int) -> float:
    """Seconds for overlay and domain. Removes both again."""
    disk = root_disk(xml)
    base = re.search(r"<source file=['\"]([^'\"]+/images/[^'\"]+)['\"]", xml)
    if not base:
        sys.exit("the domain has another shape than this benchmark knows")
    base_format = re.search(r"<backingStore[^>]*>\s*<format type=['\"](\w+)['\"]", xml)
    name, overlay = str(uuid.uuid4()), str(Path(disk).parent.parent / f"by-hand-{uuid.uuid4().hex}")
    own = re.sub(r"<name>.*?</name>", f"<name>{name}</name>", xml, count=1)
    own = re.sub(r"<uuid>.*?</uuid>", f"<uuid>{name}</uuid>", own, count=1)
    own = re.sub(r"<metadata>.*?</metadata>", "", own, flags=re.S)
    own = re.sub(r"(<entry name=['\"](?:uuid|serial)['\"]>).*?(</entry>)", rf"\g<1>{name}\g<2>", own)
    own = own.replace(disk, overlay).replace(str(Path(disk).parent), str(Path(overlay).parent))
    definition = Path(f"/tmp/{name}.xml")
    definition.write_text(own)
    start = time.perf_counter()
    inside(host, "qemu-img", "create", "-q", "-f", "qcow2", "-b", base[1], "-F",
           base_format[1] if base_format else "qcow2", overlay, str(size))  # fmt: skip
    inside(host, "virsh", "-q", "create", str(definition))
    took = time.perf_counter() - start
    inside(host, "virsh", "-q", "destroy", name)
    inside(host, "rm", "-f", overlay)
    definition.unlink()
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--image", default="computecloud-guest")
    parser.add_argument("--flavor", default="m1.tiny")
    wish = parser.parse_args()
    api = Api()
    image = api.call("GET", "image", f"/v2/images?name={wish.image}")["images"][0]["id"]
    flavors = api.call("GET", "compute", "/flavors")["flavors"]
    flavor = next(one["id"] for one in flavors if one["name"] == wish.flavor)
    cloud, hand = [], []
    for number in range(wish.rounds + 1):
        server, took = api.boot(image, flavor)
        host, xml = find(wish.state.resolve(), f"instance-{server}")
        size = size_of(host, root_disk(xml))
        api.delete(server)
        manual = by_hand(host, xml, size)
        if number:  # the first round warms caches and is not counted
            cloud.append(took)
            hand.append(manual)
    print(
        json.dumps(
            {
                "rounds": wish.rounds,
                "post_to_active_ms": round(statistics.median(cloud) * 1000),
                "by_hand_ms": round(statistics.median(hand) * 1000),
                "ratio": round(statistics.median(a / b for a, b in zip(cloud, hand, strict=True)), 3),
                "all_ms": [[round(a * 1000), round(b * 1000)] for a, b in zip(cloud, hand, strict=True)],
            }
        )
    )


main()
