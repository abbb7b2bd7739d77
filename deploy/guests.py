"""The demo's image, network and first guest, made through the public API as any user would."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy import guest as own_image
from deploy.client import ApiProblem, Client
from deploy.cloud import Cloud
from deploy.credentials import Secrets
from deploy.files import write_private
from deploy.progress import Failure, Progress
from deploy.readiness import tail, wait_for

GUEST_IMAGE, BENCH_IMAGE = "computecloud-guest", "bench-image"
NETWORK, CIDR = "private-net", "10.20.0.0/22"
FIRST_GUEST, FIRST_FLAVOR = "first-guest", "m1.tiny"
BOOT_S, PROMPT_S = 120, 180
CONSOLE_LINES = 60


@dataclass(frozen=True)
class ImageFile:
    """An image to upload under a name. ``properties`` are the image's own in the Image API."""

    name: str
    path: Path
    disk_format: str
    properties: dict[str, Any]


def ensure_image_file(cloud: Cloud, progress: Progress) -> ImageFile:
    """Our own guest image, built from distribution packages once per state folder."""
    target = cloud.data / "guest" / f"{GUEST_IMAGE}.qcow2"
    target.parent.mkdir(mode=0o700, exist_ok=True)
    if not target.exists():
        own_image.build(target)
        progress.note(f"{target.stat().st_size / 1e6:.1f} MB")
    properties = {"min_disk": 1, "min_ram": 128, "os_distro": "computecloud", "hw_rng_model": "virtio"}
    properties |= {"hw_qemu_guest_agent": "yes", "os_admin_user": "computecloud"}
    return ImageFile(GUEST_IMAGE, target, "qcow2", properties)


def ensure_blank_image_file(cloud: Cloud) -> ImageFile:
    """One megabyte of zeros: all that simulated hosts need."""
    target = cloud.data / f"{BENCH_IMAGE}.raw"
    if not target.exists():
        with target.open("wb") as out:
            out.truncate(1024 * 1024)
    return ImageFile(BENCH_IMAGE, target, "raw", {"min_disk": 1})


def _stamp_file(cloud: Cloud) -> Path:
    return cloud.data / ".seeded.json"


def _remembered(cloud: Cloud) -> dict[str, str]:
    path = _stamp_file(cloud)
    known: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
    return known


def _remember(cloud: Cloud, **facts: str) -> None:
    write_private(_stamp_file(cloud), json.dumps(_remembered(cloud) | facts))


def seed(cloud: Cloud, secrets: Secrets, image: ImageFile, progress: Progress) -> None:
    """Upload the image and make the demo's network, once: what a user removed later stays removed."""
    known = _remembered(cloud)
    if "image" not in known:
        admin = Client(cloud.local_url, "admin", secrets.admin_password, trust=cloud.trust)
        _remember(cloud, image=_ensure_image(admin, image, progress))
    if "network" not in known:
        demo = Client(cloud.local_url, "demo", secrets.demo_password, trust=cloud.trust)
        _remember(cloud, network=_ensure_network(demo, progress))


def _ensure_image(admin: Client, image: ImageFile, progress: Progress) -> str:
    """Id of the active public image. One that an interrupted `up` left unfinished gets its bytes now."""
    found = admin.get(f"/image/v2/images?name={image.name}")["images"]
    active = [one for one in found if one["status"] == "active"]
    if active:
        return str(active[0]["id"])
    queued = [one for one in found if one["status"] == "queued"]
    body = {"name": image.name, "disk_format": image.disk_format, "container_format": "bare", "visibility": "public"}
    image_id = str((queued or [admin.post("/image/v2/images", body | image.properties)])[0]["id"])
    admin.upload(f"/image/v2/images/{image_id}/file", image.path)
    progress.note(f"image {image.name}")

    def look() -> str | None:
        status = admin.get(f"/image/v2/images/{image_id}")["status"]
        if status in ("killed", "error"):
            raise Failure(f"The Image API refused our own image {image.name}: its status is {status}.")
        return None if status == "active" else status

    missing = wait_for(look, 60)
    if missing:
        raise Failure(f"Image {image.name} is still {missing} after 60 s.")
    return image_id


def _ensure_network(demo: Client, progress: Progress) -> str:
    """Id of the demo project's network, with its subnet."""
    found = demo.get(f"/network/v2.0/networks?name={NETWORK}")["networks"]
    network = found[0] if found else demo.post("/network/v2.0/networks", {"network": {"name": NETWORK}})["network"]
    network_id = str(network["id"])
    if not demo.get(f"/network/v2.0/subnets?network_id={network_id}")["subnets"]:
        subnet = {"network_id": network_id, "name": f"{NETWORK}-subnet", "cidr": CIDR, "ip_version": 4}
        demo.post("/network/v2.0/subnets", {"subnet": subnet})
        progress.note(f"network {NETWORK} {CIDR}")
    return network_id


def boot_first(cloud: Cloud, secrets: Secrets, progress: Progress) -> None:
    """Boot the first guest of a new cloud, once, and wait until it is ACTIVE. Raises Failure with its fault."""
    known = _remembered(cloud)
    demo = Client(cloud.local_url, "demo", secrets.demo_password, trust=cloud.trust)
    if "guest" not in known:
        found = demo.get(f"/compute/v2.1/servers?name={FIRST_GUEST}")["servers"]
        guest_id = str((found or [_create(demo, known)])[0]["id"])
        _remember(cloud, guest=guest_id)
    guest = first_guest(cloud, secrets)
    if guest is None or guest["status"] not in ("BUILD", "ACTIVE", "ERROR"):
        return  # the user has removed or stopped it
    began = time.monotonic()

    def look() -> str | None:
        now = first_guest(cloud, secrets)
        if now is None or now["status"] in ("ACTIVE", "ERROR"):
            return None
        return f"{now['status']} ({now.get('OS-EXT-STS:task_state')})"

    missing = wait_for(look, BOOT_S, every_s=0.25)
    guest = first_guest(cloud, secrets)
    if guest is None:
        return
    if missing or guest["status"] == "ERROR":
        fault = guest.get("fault", {}).get("message", "no fault was recorded")
        agents = [path.stem for path in cloud.log.glob("compute@*.log")]
        logs = "\n".join(f"  last lines of {name}:\n{tail(cloud, name)}" for name in [*agents, "control"])
        raise Failure(
            f"The first guest is {missing or 'ERROR'} after {time.monotonic() - began:.0f} s: {fault}\n{logs}"
        )


def _create(demo: Client, known: dict[str, str]) -> dict[str, Any]:
    flavors = demo.get("/compute/v2.1/flavors")["flavors"]
    flavor = next((one["id"] for one in flavors if one["name"] == FIRST_FLAVOR), None)
    if flavor is None:
        raise Failure(f"There is no flavor {FIRST_FLAVOR} for the first guest.")
    wish = {
        "name": FIRST_GUEST, "flavorRef": flavor, "imageRef": known["image"],
        "config_drive": True,  # there is no metadata service yet: this tells the guest its name
        "networks": [{"uuid": known["network"]}],
    }  # fmt: skip
    server: dict[str, Any] = demo.post("/compute/v2.1/servers", {"server": wish})["server"]
    return server


def first_guest(cloud: Cloud, secrets: Secrets) -> dict[str, Any] | None:
    """The first guest as its owner sees it; None when it was never made or is deleted."""
    guest_id = _remembered(cloud).get("guest")
    if guest_id is None:
        return None
    try:
        server: dict[str, Any] = Client(cloud.local_url, "demo", secrets.demo_password, trust=cloud.trust).get(
            f"/compute/v2.1/servers/{guest_id}"
        )["server"]
    except ApiProblem as problem:
        if problem.status == 404:
            return None
        raise
    return server


def console(cloud: Cloud, secrets: Secrets, lines: int = CONSOLE_LINES) -> list[str]:
    """The last lines that the first guest wrote on its serial console."""
    guest_id = _remembered(cloud)["guest"]
    demo = Client(cloud.local_url, "demo", secrets.demo_password, trust=cloud.trust)
    body = {"os-getConsoleOutput": {"length": lines}}
    return str(demo.post(f"/compute/v2.1/servers/{guest_id}/action", body)["output"]).splitlines()


def wait_for_prompt(cloud: Cloud, secrets: Secrets) -> None:
    """The guest's own system has come up. Raises Failure with what its console shows instead."""
    guest = first_guest(cloud, secrets)
    if guest is None or guest["status"] != "ACTIVE":
        return

    def look() -> str | None:
        return None if any("login:" in line for line in console(cloud, secrets)) else "no login prompt"

    if wait_for(look, PROMPT_S, every_s=0.5):
        seen = "\n".join(f"    {line}" for line in console(cloud, secrets)[-15:]) or "    (nothing)"
        raise Failure(f"The first guest shows no login prompt after {PROMPT_S} s. Its console ends with:\n{seen}")
