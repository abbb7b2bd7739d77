"""``guest_call.py STATE UNDERLAY PEER IMAGE NUMBER spawn|log|destroy``: one guest, from inside a host."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from hosts.drivers import registry
from hosts.drivers.libvirt.driver import LibvirtDriver
from hosts.drivers.specs import ConfigDriveSpec, GuestSpec
from hosts.drivers.steps import run_all
from tests.drivers import build
from tests.drivers.build import ImagesInMemory, ref


def spec(image: Path, images: ImagesInMemory, number: int, peer: str) -> GuestSpec:
    """Guest ``number`` (1 or 2); once it is up it pings the other."""
    name, other = f"gull{number}", build.nic(3 - number).fixed_ips[0].address
    script = (
        "#!/bin/sh\ni=0\n"
        f"while [ $i -lt 60 ]; do ping -c 1 -W 1 {other} >/dev/null 2>&1 && echo REACHED {other} && exit; "
        "i=$((i+1)); sleep 1; done\n"
    )
    files = {
        "openstack/latest/meta_data.json": json.dumps({"uuid": name, "hostname": name, "name": name}).encode(),
        "openstack/latest/user_data": script.encode(),
    }
    return build.guest(
        id=f"00000000-0000-0000-0000-00000000000{number}",
        name=name,
        ram_mb=192,
        disks=(build.root(images.add(image.read_bytes(), "qcow2")),),
        nics=(build.nic(number),),
        config_drive=ConfigDriveSpec(files),
        peers=(peer,),
    )


def main() -> None:
    state, underlay, peer, image, number, verb = sys.argv[1:]
    images = ImagesInMemory()
    guest = spec(Path(image), images, int(number), peer)
    driver = registry.make("libvirt", {}, images, Path(state), underlay)
    assert isinstance(driver, LibvirtDriver)
    driver.start()
    if verb == "spawn":
        run_all(driver.spawn(guest))
    elif verb == "log":
        sys.stdout.write(driver.console_log(guest.id).decode(errors="replace"))
    else:
        run_all(driver.destroy(ref(guest)))
        sys.stdout.write(f"left: {list(driver.leftovers(frozenset()))}\n")
    driver.close()


if __name__ == "__main__":
    main()
