"""The inspector of image content: what is let in, and that everything else stays out."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from integrations.images.inspect import ContentRefused, Head, Rules, WholeFile, judge, look
from tests.support import disks

TIB = 1024**4
RULES = Rules(max_virtual_bytes=10 * TIB)
MIB = 1024**2


def ask(content: bytes, declared: str, rules: Rules = RULES) -> int | None:
    return judge(Head(content, complete=True), declared, rules)


@pytest.mark.parametrize(
    ("content", "declared", "virtual_size"),
    [
        (disks.qcow2(), "qcow2", 16 * MIB),
        (disks.qcow2(version=2), "qcow2", 16 * MIB),
        (disks.qcow2(extensions=[(0x6803F857, b"x" * 384)]), "qcow2", 16 * MIB),
        (disks.qcow2(incompatible=16), "qcow2", 16 * MIB),
        (disks.qcow2(incompatible=8, header_length=112), "qcow2", 16 * MIB),
        (disks.raw(), "raw", MIB),
        (b"just some bytes", "raw", 15),
        (b"a kernel", "aki", 8),
        (b"", "raw", 0),
        (disks.iso(), "iso", 128 * 1024),
        (disks.with_partition_table(disks.iso()), "iso", 128 * 1024),
        (disks.vhd(), "vhd", 8 * MIB),
        (disks.vhd(2, at_end_only=True), "vhd", 8 * MIB),
        (disks.vhdx(), "vhdx", 8 * MIB),
        (disks.vdi(), "vdi", 8 * MIB),
    ],
)
def test_honest_content_is_let_in_and_its_disk_size_is_known(content: bytes, declared: str, virtual_size: int) -> None:
    assert ask(content, declared) == virtual_size


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (disks.qcow2(backing=b"/etc/shadow"), "backing file"),
        (disks.qcow2(version=2, backing=b"/etc/shadow"), "backing file"),
        (disks.qcow2(incompatible=4), "external file"),
        (disks.qcow2(extensions=[(0x44415441, b"/etc/shadow")]), "external data file"),
        (disks.qcow2(incompatible=4, extensions=[(0x44415441, b"/etc/shadow")]), "external"),
        (disks.qcow2(extensions=[(0xE2792ACA, b"raw")]), "format of a backing file"),
        (disks.qcow2(incompatible=2), "corrupt"),
        (disks.qcow2(incompatible=1 << 5), "unknown features"),
        (disks.qcow2(incompatible=1 << 63), "unknown features"),
        (disks.qcow2(crypt=2), "encrypted"),
        (disks.qcow2(cluster_bits=40, l1_entries=1), "cluster size"),
        (disks.qcow2(cluster_bits=0, l1_entries=1), "cluster size"),
        (disks.qcow2(l1_entries=2**31), "L1 table"),
        (disks.qcow2(virtual_size=TIB, l1_entries=1), "L1 table"),
        (disks.qcow2(l1_offset=2**62), "beyond the end"),
        (disks.qcow2(l1_offset=77), "misplaced"),
        (disks.qcow2(snapshots=2**31), "internal snapshots"),
        (disks.qcow2(version=1), "version 1"),
        (disks.qcow2(version=4), "version 4"),
        (disks.qcow2(extensions=[(0x6803F857, b"")] * 100), "too many header extensions"),
        (b"QFI\xfb", "cannot be used"),
        (disks.qcow2(virtual_size=2**50, l1_entries=2**21), "above the limit"),
    ],
)
def test_a_qcow2_that_reaches_out_or_lies_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(ContentRefused, match=why):
        ask(content, "qcow2")


@pytest.mark.parametrize("declared", ["raw", "qcow2", "iso", "vhd", "vhdx", "vdi", "vmdk", "ami"])
@pytest.mark.parametrize(
    ("actual", "content"),
    [
        ("qcow2", disks.qcow2()),
        ("vmdk", disks.vmdk()),
        ("vmdk", disks.vmdk_descriptor()),
        ("iso", disks.iso()),
        ("vhd", disks.vhd()),
        ("vhd", disks.vhd(2, at_end_only=True)),
        ("vhdx", disks.vhdx()),
        ("vdi", disks.vdi()),
        ("qed", b"QED\0" + bytes(4096)),
        ("luks", b"LUKS\xba\xbe" + bytes(4096)),
        ("raw", b"nothing that anybody knows"),
    ],
)
def test_content_that_is_not_what_was_declared_is_refused(declared: str, actual: str, content: bytes) -> None:
    plain = actual == "raw" and declared in ("raw", "ami")
    if plain or (actual == declared and actual != "vmdk"):
        ask(content, declared)
        return
    with pytest.raises(ContentRefused):
        ask(content, declared)


def test_two_formats_at_once_are_refused_but_an_iso_may_have_a_partition_table() -> None:
    with pytest.raises(ContentRefused, match="more than one format"):
        ask(disks.with_partition_table(disks.qcow2()), "qcow2")
    both = bytearray(disks.qcow2())
    both[0x8000:0x8007] = b"\x01CD001\x01"
    for declared in ("qcow2", "iso", "raw"):
        with pytest.raises(ContentRefused, match="more than one format"):
            ask(bytes(both), declared)


def test_vmdk_is_off_by_default_and_only_self_contained_kinds_can_be_allowed() -> None:
    allowed = Rules(max_virtual_bytes=TIB, allow_vmdk=True)
    with pytest.raises(ContentRefused, match="not allowed on this cloud"):
        ask(disks.vmdk(), "vmdk")
    assert ask(disks.vmdk(), "vmdk", allowed) == MIB
    assert ask(disks.vmdk("streamOptimized"), "vmdk", allowed) == MIB
    evil = [
        disks.vmdk("monolithicFlat", 'RW 2048 FLAT "/etc/shadow" 0'),
        disks.vmdk(extent='RW 2048 FLAT "/etc/shadow" 0'),
        disks.vmdk(extent='RW 2048 SPARSE "../../etc/shadow"'),
        disks.vmdk(extent='RW 2048 SPARSE "a"\nRW 2048 FLAT "/etc/shadow" 0'),
        disks.vmdk(more='parentFileNameHint="/etc/shadow"'),
        disks.vmdk(more='createType="monolithicFlat"'),
        disks.vmdk_descriptor(),
        b'\n # a comment\n\nversion=1\ncreateType="monolithicFlat"\nRW 1 FLAT "/etc/shadow" 0\n',
        b"COWD" + bytes(4096),
    ]
    for content in evil:
        with pytest.raises(ContentRefused):
            ask(content, "vmdk", allowed)


@pytest.mark.parametrize(
    ("content", "declared"),
    [
        (disks.vhd(4), "vhd"),
        (disks.vhd(9), "vhd"),
        (disks.vhdx(flags=2), "vhdx"),
        (disks.vdi(4), "vdi"),
        (b"vhdxfile", "vhdx"),
    ],
)
def test_disks_with_a_parent_are_refused(content: bytes, declared: str) -> None:
    with pytest.raises(ContentRefused):
        ask(content, declared)


def test_what_nobody_recognises_passes_only_when_the_site_says_so() -> None:
    lenient = Rules(max_virtual_bytes=TIB, require_match=False)
    assert ask(b"random", "qcow2", lenient) is None
    with pytest.raises(ContentRefused):
        ask(disks.qcow2(backing=b"/etc/shadow"), "qcow2", lenient)
    with pytest.raises(ContentRefused):
        ask(disks.qcow2(), "raw", lenient)


def test_evil_content_is_refused_from_its_first_bytes_already() -> None:
    for content, declared in [(disks.qcow2(backing=b"/x"), "qcow2"), (disks.qcow2(), "raw"), (b"random" * 99, "qcow2")]:
        with pytest.raises(ContentRefused):
            judge(Head(content[:65536]), declared, RULES)
    assert judge(Head(disks.vhd(2, at_end_only=True)[:1024]), "vhd", RULES) is None
    assert judge(Head(disks.vhdx()[:65536]), "vhdx", RULES) is None


@pytest.mark.row("S09")
@settings(max_examples=300, deadline=None)
@given(
    magic=st.sampled_from(
        [b"QFI\xfb\0\0\0\3", b"QFI\xfb\0\0\0\2", b"KDMV", b"conectix", b"vhdxfile", b"# Disk DescriptorFile", b""]
    ),
    rest=st.binary(max_size=4096),
    complete=st.booleans(),
)
def test_no_bytes_make_a_parser_fall_over(magic: bytes, rest: bytes, complete: bool) -> None:
    window = Head(magic + rest, complete)
    assert isinstance(look(window), list)
    for declared in ("qcow2", "raw", "vmdk"):
        try:
            judge(window, declared, Rules(max_virtual_bytes=TIB, allow_vmdk=True))
        except ContentRefused:
            continue


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
@pytest.mark.parametrize(
    ("made_as", "declared", "options"),
    [
        ("qcow2", "qcow2", ""),
        ("qcow2", "qcow2", "compat=0.10"),
        ("qcow2", "qcow2", "compression_type=zstd"),
        ("qcow2", "qcow2", "extended_l2=on,cluster_size=128k"),
        ("qcow2", "qcow2", "lazy_refcounts=on"),
        ("raw", "raw", ""),
        ("vpc", "vhd", "subformat=dynamic,force_size=on"),
        ("vpc", "vhd", "subformat=fixed,force_size=on"),
        ("vhdx", "vhdx", ""),
        ("vdi", "vdi", ""),
        ("vmdk", "vmdk", "subformat=monolithicSparse"),
        ("vmdk", "vmdk", "subformat=streamOptimized"),
    ],
)
def test_what_qemu_img_makes_passes_our_own_inspector(
    tmp_path: Path, made_as: str, declared: str, options: str
) -> None:
    path = tmp_path / "disk"
    argv = ["qemu-img", "create", "-q", "-f", made_as, *(["-o", options] if options else []), str(path), "64M"]
    subprocess.run(argv, check=True)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        window = WholeFile(descriptor, path.stat().st_size)
        assert judge(window, declared, Rules(max_virtual_bytes=TIB, allow_vmdk=True)) == 64 * MIB
    finally:
        os.close(descriptor)


@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="needs qemu-img")
def test_what_qemu_img_makes_with_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(bytes(MIB))
    evil = {
        "backing": ["-F", "raw", "-b", str(tmp_path / "secret")],
        "data": ["-o", f"data_file={tmp_path / 'data'},data_file_raw=on"],
        "luks": [
            "--object",
            "secret,id=s,data=x",
            "-o",
            "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10",
        ],
    }
    for name, options in evil.items():
        path = tmp_path / f"{name}.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *options, str(path), "1M"], check=True)
        with pytest.raises(ContentRefused):
            ask(path.read_bytes(), "qcow2")
