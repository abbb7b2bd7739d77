"""Calls the libvirt driver on a local host: ``{"call": ...}`` on standard input, the answer on output."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import msgspec

from hosts.drivers import registry
from hosts.drivers.base import ConsoleLogged, Diagnosing, Interrupting, PasswordSetting, Plugging
from hosts.drivers.specs import GuestRef, GuestSpec
from hosts.drivers.steps import run_all


class OneImage:
    """Every image is this file."""

    def __init__(self, source: str) -> None:
        self.source = source

    def fetch(self, image_id: str, sha512: str, target: Path) -> None:
        shutil.copyfile(self.source, target)


def main() -> None:
    asked = msgspec.json.decode(sys.stdin.buffer.read())
    driver = registry.make("libvirt", {}, OneImage(asked["image"]), Path(asked["state"]), asked["underlay"])
    driver.start()
    answer: object = None
    match asked["call"]:
        case "spawn":
            run_all(driver.spawn(msgspec.convert(asked["guest"], GuestSpec)))
        case "power_off":
            run_all(driver.power_off(msgspec.convert(asked["ref"], GuestRef), timeout_s=asked["timeout_s"]))
        case "destroy":
            run_all(driver.destroy(msgspec.convert(asked["ref"], GuestRef)))
        case "attach_port" | "detach_port" as verb if isinstance(driver, Plugging):
            run_all(getattr(driver, verb)(msgspec.convert(asked["guest"], GuestSpec), asked["port_id"]))
        case "set_password" if isinstance(driver, PasswordSetting):
            run_all(driver.set_password(msgspec.convert(asked["guest"], GuestSpec)))
        case "interrupt" if isinstance(driver, Interrupting):
            run_all(driver.interrupt(msgspec.convert(asked["ref"], GuestRef)))
        case "diagnostics" if isinstance(driver, Diagnosing):
            answer = driver.diagnostics(asked["id"])
        case "state":
            answer = driver.state(asked["id"])
        case "console_log" if isinstance(driver, ConsoleLogged):
            answer = driver.console_log(asked["id"]).decode(errors="replace")
        case other:
            raise SystemExit(f"unknown call {other}")
    driver.close()
    sys.stdout.buffer.write(b"\n" + msgspec.json.encode(answer) + b"\n")


main()
