"""Writes a config drive: an ISO 9660 file with label ``config-2``, with Rock Ridge and Joliet names.

Paths are labels inside a file that we build; nothing is ever written into a guest's file system (S27).
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import pycdlib

from hosts.drivers.errors import Fatal
from hosts.drivers.libvirt import files

LABEL = "config-2"


def write(target: Path, contents: Mapping[str, bytes], mark: str) -> None:
    """Write the files of ``contents`` (path -> bytes) to the ISO ``target``. Raises Fatal for a path that is none."""
    with files.whole(target, mark) as part:
        iso = pycdlib.PyCdlib()
        iso.new(vol_ident=LABEL, rock_ridge="1.09", joliet=3, interchange_level=3)
        try:
            _fill(iso, contents)
            iso.write(str(part))
        finally:
            iso.close()


def _fill(iso: pycdlib.PyCdlib, contents: Mapping[str, bytes]) -> None:
    folders: dict[PurePosixPath, str] = {PurePosixPath("/"): ""}
    for number, (name, data) in enumerate(sorted(contents.items())):
        path = _checked(name)
        for folder in reversed(path.parents):
            _add_folder(iso, folders, folder)
        iso.add_fp(
            io.BytesIO(data),
            len(data),
            f"{folders[path.parent]}/F{number:07}.;1",
            rr_name=path.name,
            joliet_path=str(path),
        )


def _add_folder(iso: pycdlib.PyCdlib, folders: dict[PurePosixPath, str], folder: PurePosixPath) -> None:
    if folder in folders:
        return
    short = f"{folders[folder.parent]}/D{len(folders):07}"
    iso.add_directory(short, rr_name=folder.name, joliet_path=str(folder))
    folders[folder] = short


def _checked(name: str) -> PurePosixPath:
    path = PurePosixPath("/", name)
    is_bad = any(part == ".." or len(part) > 60 or not part.isprintable() for part in path.parts)
    if is_bad or not path.name or len(path.parts) > 7:
        raise Fatal(f"not a path for a config drive: {name[:80]!r}")
    return path
