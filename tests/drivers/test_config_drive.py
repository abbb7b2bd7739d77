"""The config drive: an ISO with the label that every cloud image looks for, its paths labels and nothing more (S27)."""

from __future__ import annotations

import io
from pathlib import Path

import pycdlib
import pytest

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import config_drive


def read(iso: pycdlib.PyCdlib, **path: str) -> bytes:
    data = io.BytesIO()
    iso.get_file_from_iso_fp(data, **path)
    return data.getvalue()


def test_files_are_found_under_both_kinds_of_long_names(tmp_path: Path) -> None:
    wanted = {
        "openstack/latest/meta_data.json": b'{"hostname": "gull"}',
        "openstack/latest/user_data": b"",
        "openstack/2018-08-27/network_data.json": b"{}" * 5000,
        "openstack/content/0000": bytes(range(256)),
        "ec2/latest/meta-data.json": b"{}",
    }
    target = tmp_path / "disk-config"

    config_drive.write(target, wanted, "op")

    iso = pycdlib.PyCdlib()
    iso.open(str(target))
    assert iso.pvd.volume_identifier.strip() == b"config-2"
    for path, data in wanted.items():
        assert read(iso, rr_path=f"/{path}") == data
        assert read(iso, joliet_path=f"/{path}") == data
    iso.close()
    assert [path.name for path in tmp_path.iterdir()] == ["disk-config"]
    assert target.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("path", ["../../etc/passwd", "a/../b", "a\nb", "x" * 100, "/".join("abcdefgh"), ""])
def test_a_path_that_is_none_is_refused(tmp_path: Path, path: str) -> None:
    with pytest.raises(Fatal, match="not a path"):
        config_drive.write(tmp_path / "disk-config", {path: b""}, "op")

    assert list(tmp_path.iterdir()) == []
