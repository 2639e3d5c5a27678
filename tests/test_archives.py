"""Unpacking of archives, and the refusal of unsafe ones."""

from __future__ import annotations

import gzip
import io
import random
import stat
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from cellseg_monai.archives import Limits, is_archive, unpack
from cellseg_monai.errors import ArchiveError, ArchiveTooLargeError


def make_zip(path: Path, members: dict[str, bytes], **modes: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = modes.get("mode", 0) << 16
            archive.writestr(info, content)
    return path


def make_tar(path: Path, members: dict[str, bytes], kind: bytes = tarfile.REGTYPE, mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname, info.size = kind, "/etc/passwd", len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("kind", ["zip", "w", "w:gz", "w:xz", "w:bz2"])
def test_files_and_folders_are_unpacked(tmp_path: Path, kind: str) -> None:
    members = {"images/a.tif": b"image", "labels/deep/a.tif": b"label", "__MACOSX/images/._a.tif": b"junk"}
    path = tmp_path / "cells"  # a name that does not reveal the kind of archive
    archive = make_zip(path, members) if kind == "zip" else make_tar(path, members, mode=kind)
    unpacked = unpack(archive, tmp_path / "out")
    assert (unpacked.files, unpacked.bytes) == (2, 10)
    assert tree(tmp_path / "out") == ["images/a.tif", "labels/deep/a.tif"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cells", "out"]
    with pytest.raises(FileExistsError, match="already exists"):
        unpack(archive, tmp_path / "out")


def link(path: Path) -> Path:
    return make_zip(path, {"a.tif": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777)


def encrypted(path: Path) -> Path:
    content = bytearray(make_zip(path, {"a.tif": b"x"}).read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    return path


def broken(path: Path) -> Path:
    content = bytearray(make_zip(path, {"a.tif": bytes(range(256)) * 9}).read_bytes())
    content[60] ^= 255
    path.write_bytes(content)
    return path


def broken_bzip2(path: Path) -> Path:
    content = bytearray(make_tar(path, {"a.tif": random.Random(0).randbytes(2_000_000)}, mode="w:bz2").read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    return path


def cut(mode: str) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        noise = zlib.compress(bytes(range(256)) * 99) * 50
        content = make_tar(path, {"a.tif": noise, "b.tif": noise}, mode=mode).read_bytes()
        path.write_bytes(content[: len(content) // 2])
        return path

    return make


ATTACKS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "zip that climbs out": (lambda p: make_zip(p, {"ok.txt": b"", "../../x": b"x"}), "has a path outside"),
    "zip that climbs out in the middle": (lambda p: make_zip(p, {"a/../../x": b"x"}), "has a path outside"),
    "zip that climbs out as on Windows": (lambda p: make_zip(p, {"..\\x": b"x"}), "has a path outside"),
    "zip with an absolute path": (lambda p: make_zip(p, {"/tmp/x": b"x"}), "has an absolute path"),
    "zip with a drive": (lambda p: make_zip(p, {"C:x": b"x"}), "has an absolute path"),
    "zip with a link": (link, "is a link or a device"),
    "zip with a pipe": (lambda p: make_zip(p, {"x": b""}, mode=stat.S_IFIFO), "is a link or a device"),
    "zip with a file twice": (lambda p: make_zip(p, {"a": b"1", "./a": b"2"}), "occurs twice"),
    "zip with a file in a file": (lambda p: make_zip(p, {"a": b"1", "a/b": b"2"}), "both a file and a folder"),
    "zip with a password": (encrypted, "is encrypted"),
    "zip with a broken member": (broken, "the archive is broken"),
    "tar that climbs out": (lambda p: make_tar(p, {"../x": b"x"}), "has a path outside"),
    "tar with an absolute path": (lambda p: make_tar(p, {"/tmp/x": b"x"}), "has an absolute path"),
    "tar with a link": (lambda p: make_tar(p, {"x": b""}, tarfile.SYMTYPE), "is a link or a device"),
    "tar with a hard link": (lambda p: make_tar(p, {"x": b""}, tarfile.LNKTYPE), "is a link or a device"),
    "tar with a device": (lambda p: make_tar(p, {"x": b""}, tarfile.CHRTYPE), "is a link or a device"),
    "tar with a pipe": (lambda p: make_tar(p, {"x": b""}, tarfile.FIFOTYPE), "is a link or a device"),
    "tar that is cut": (cut("w"), "the archive is broken"),
    "tar.gz that is cut": (cut("w:gz"), "the archive is broken"),
    "tar.xz that is cut": (cut("w:xz"), "the archive is broken"),
    "tar.bz2 with a broken block": (broken_bzip2, "the archive is broken"),
    "an empty file": (lambda p: (p.write_bytes(b""), p)[1], "got an empty file, expected a zip or tar"),
    "a web page": (lambda p: (p.write_bytes(b"\n<!DOCTYPE html><html>"), p)[1], "got a web page"),
    "an image": (lambda p: (p.write_bytes(b"II*\0" * 200), p)[1], r"begins with b'II\*"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_unsafe_archive_is_refused_and_leaves_nothing(tmp_path: Path, attack: str) -> None:
    make, message = ATTACKS[attack]
    archive = make(tmp_path / "archive")
    with pytest.raises(ArchiveError, match=message) as caught:
        unpack(archive, tmp_path / "in" / "out")
    assert str(archive) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert tree(tmp_path) == ["archive"]
    assert list(tmp_path.glob("in/*")) == []


def test_the_limits_are_enforced(tmp_path: Path) -> None:
    many = make_zip(tmp_path / "many", {f"{number}.tif": b"x" * 1000 for number in range(20)})
    with pytest.raises(ArchiveTooLargeError, match=r"more than 19 files.*\(--max_files\)"):
        unpack(many, tmp_path / "out", Limits(files=19))
    with pytest.raises(ArchiveTooLargeError, match=r"more than 1e-05 GB.*\(--max_gigabytes\)"):
        unpack(many, tmp_path / "out", Limits(gigabytes=1e-5))
    assert tree(tmp_path) == ["many"]
    assert unpack(many, tmp_path / "out", Limits(gigabytes=2e-5, files=20)).files == 20
    with pytest.raises(ValueError, match="expected positive numbers"):
        Limits(files=0)


def test_a_bomb_is_stopped_by_its_real_size_rather_than_its_stated_size(tmp_path: Path) -> None:
    bomb = make_zip(tmp_path / "bomb", {"zeros": bytes(120_000_000)})
    content = bomb.read_bytes()
    assert len(content) < 200_000
    with pytest.raises(ArchiveTooLargeError, match=r"300 unpacked bytes per packed byte.*\(--max_ratio\)"):
        unpack(bomb, tmp_path / "out")
    assert tree(tmp_path) == ["bomb"]


def header_bomb(path: Path, kind: bytes, *, size: int, repeated: int = 1) -> Path:
    """Write a tar whose headers have a name or a record of this size."""
    header = tarfile.TarInfo("././@LongLink")
    header.type, header.size = kind, size
    member = tarfile.TarInfo("a.txt").tobuf()
    content = (header.tobuf(tarfile.GNU_FORMAT) + b"a" * (size + -size % 512)) * repeated + member + bytes(1024)
    path.write_bytes(gzip.compress(content))
    return path


HEADERS = [tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE]


@pytest.mark.parametrize("kind", HEADERS, ids=["long name", "long link", "record", "global record"])
def test_a_huge_header_is_refused_before_it_is_read(tmp_path: Path, kind: bytes) -> None:
    archive = header_bomb(tmp_path / "a.tar.gz", kind, size=40_000_000)
    tracemalloc.start()
    try:
        assert is_archive(archive)
        with pytest.raises(ArchiveError, match="'a member' has a header of more than 1,048,576 bytes"):
            unpack(archive, tmp_path / "out")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()
    assert not (tmp_path / "out").exists()


def test_thousands_of_headers_for_one_member_are_refused(tmp_path: Path) -> None:
    archive = header_bomb(tmp_path / "a.tar.gz", tarfile.GNUTYPE_LONGNAME, size=10, repeated=900)
    with pytest.raises(ArchiveError):
        unpack(archive, tmp_path / "out")


def test_long_names_are_unpacked(tmp_path: Path) -> None:
    name = "/".join(["images" * 20] * 20) + "/a.tif"
    for kind in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tarfile.open(tmp_path / f"{kind}.tar", "w", format=kind) as archive:
            archive.addfile(tarfile.TarInfo(name))
        unpack(tmp_path / f"{kind}.tar", tmp_path / f"out{kind}")
        assert tree(tmp_path / f"out{kind}") == [name]


def test_a_false_size_is_refused(tmp_path: Path) -> None:
    bomb = make_zip(tmp_path / "bomb", {"zeros": bytes(500_000)})
    size = (500_000).to_bytes(4, "little")
    bomb.write_bytes(bomb.read_bytes().replace(size, (5).to_bytes(4, "little")))
    with pytest.raises(ArchiveError, match="the archive is broken"):
        unpack(bomb, tmp_path / "out")
    assert tree(tmp_path) == ["bomb"]
