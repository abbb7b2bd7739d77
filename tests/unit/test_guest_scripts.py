"""The guest image's own small parsers, run by the busybox that goes into it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from deploy.guest import modules
from deploy.guest.build import LOCKED
from deploy.guest.cpio import initramfs

SCRIPTS = Path(__file__).parents[2] / "deploy/guest/rootfs/usr/lib/computecloud"
TREES = Path(__file__).parents[2] / "deploy/guest"
pytestmark = pytest.mark.skipif(shutil.which("busybox") is None, reason="needs busybox")


def awk(script: str, text: str, **variables: str) -> list[str]:
    words = [word for name, value in variables.items() for word in ("-v", f"{name}={value}")]
    argv = ["busybox", "awk", "-F", "\t", *words, "-f", str(SCRIPTS / script)]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout.splitlines()


def test_json_becomes_one_line_for_each_value() -> None:
    data = {
        "uuid": "u-1",
        "public_keys": {"my key": "ssh-ed25519 AAAA me\n"},
        "keys": [{"name": "k", "data": None}, {"list": [[1, 2.5], []]}],
        "empty": {},
        "odd": 'a "quoted" \\ back / slash',
        "letter": "\u0041\u00e4",
        "yes": True,
    }
    for text in (json.dumps(data), json.dumps(data, indent=2), json.dumps(data, separators=(",", ":"))):
        assert awk("json.awk", text) == [
            "uuid\tu-1",
            "public_keys/my key\tssh-ed25519 AAAA me ",
            "keys/0/name\tk",
            "keys/0/data\tnull",
            "keys/1/list/0/0\t1",
            "keys/1/list/0/1\t2.5",
            'odd\ta "quoted" \\ back / slash',
            "letter\tA?",
            "yes\ttrue",
        ]


@pytest.mark.parametrize("text", ["", "{", "[1,", '{"a": ', '{"a": "b', "nonsense", '{"a" "b"}', "]]]"])
def test_broken_json_ends(text: str) -> None:
    awk("json.awk", text)


def test_static_addresses_of_the_nic_with_the_mac() -> None:
    data = {
        "links": [
            {"id": "l0", "ethernet_mac_address": "fa:16:3e:00:00:01", "mtu": 1450},
            {"id": "l1", "ethernet_mac_address": "FA:16:3E:00:00:02", "mtu": 1400},
        ],
        "networks": [
            {"id": "n0", "link": "l0", "type": "ipv4_dhcp"},
            {
                "id": "n1", "link": "l1", "type": "ipv4", "ip_address": "10.1.0.7", "netmask": "255.255.252.0",
                "routes": [{"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.1.0.1"}],
            },
        ],
        "services": [{"type": "dns", "address": "9.9.9.9"}],
    }  # fmt: skip
    flat = "\n".join(awk("json.awk", json.dumps(data)))
    assert awk("static.awk", flat, mac="fa:16:3e:00:00:01") == []  # by DHCP
    assert awk("static.awk", flat, mac="fa:16:3e:00:00:02") == [
        "mtu 1400",
        "address 10.1.0.7/22",
        "route 0.0.0.0/0 10.1.0.1",
        "dns 9.9.9.9",
    ]
    assert awk("static.awk", flat, mac="fa:16:3e:00:00:03") == []


def test_the_simple_part_of_cloud_config() -> None:
    text = """#cloud-config
hostname: web
password: 'a b c'
chpasswd: { expire: False }
ssh_authorized_keys:
  - ssh-rsa AAAA one
  - "ssh-rsa BBBB two"
packages: [nginx]
runcmd:
  - echo one
  - echo two # three
"""
    assert awk("cloud-config.awk", text) == [
        "hostname web",
        "password a b c",
        "key ssh-rsa AAAA one",
        "key ssh-rsa BBBB two",
        "run echo one",
        "run echo two # three",
    ]


def test_every_script_is_one_that_busybox_understands() -> None:
    scripts = [file for file in TREES.glob("*fs/**/*") if file.is_file() and file.read_bytes().startswith(b"#!/bin/sh")]
    assert len(scripts) > 10
    for script in scripts:
        subprocess.run(["busybox", "sh", "-n", str(script)], check=True)
        assert script.stat().st_mode & 0o111, f"{script} is not executable"


@pytest.mark.row("S48")
def test_no_password_is_in_the_image() -> None:
    """S48: the only way in is a key or a password that a server's own config drive gives."""
    passwd = (TREES / "rootfs/etc/passwd").read_text()
    assert all(line.split(":")[1] == "x" for line in passwd.splitlines())
    assert not list(TREES.glob("rootfs/**/shadow"))
    assert LOCKED.endswith("$*")  # 86 characters would follow the salt


def test_modules_come_after_what_they_depend_on(tmp_path: Path) -> None:
    for name, depends in (("c", ""), ("b-x", "c"), ("a", "b-x,c,inside")):
        (tmp_path / f"{name}.ko").write_bytes(b"\x7fELF\0depends=" + depends.encode() + b"\0name=x\0")
    (tmp_path / "modules.builtin").write_text("kernel/inside.ko\n")
    found = modules.Modules(tmp_path)
    assert [file.stem for file in found.ordered(("a",), needed=True)] == ["c", "b-x", "a"]
    assert found.ordered(("nowhere", "inside"), needed=False) == []
    with pytest.raises(modules.ModuleMissing):
        found.ordered(("nowhere",), needed=True)


def test_the_archive_is_one_that_cpio_reads(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "bin").mkdir(parents=True)
    (tree / "bin/odd").write_bytes(b"12345")
    (tree / "bin/sh").symlink_to("busybox")
    listed = subprocess.run(
        ["sh", "-c", "gunzip | busybox cpio -t"], input=initramfs(tree), capture_output=True, check=True
    )
    assert listed.stdout.decode().split() == ["bin", "bin/odd", "bin/sh"]
