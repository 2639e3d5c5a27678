"""Tests for every layout. A layout joins with a subclass that writes a small raw folder without faults:

class TestCtc(PreparerContract):
    layout = "ctc"

    def write(self, raw):
        save(raw / "01" / "t000.tif", noise((6, 8)))
        ...
        return {"01_t000": 2, "02_t001": 0}
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import tifffile
from PIL import Image

from cellseg_monai.data import check_dataset, load_datalist
from cellseg_monai.datasets.preparing import PREPARERS, Prepared, find_preparer, prepare, runner
from cellseg_monai.errors import DatasetError
from cellseg_monai.io import read, read_labels


def noise(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> np.ndarray:
    highest = min(np.iinfo(dtype).max, 4000)
    return np.random.default_rng(seed).integers(0, highest, shape).astype(dtype)


def save(path: Path, pixels: np.ndarray) -> Path:
    """Write an image of shape (Y, X) or (Y, X, samples) in the format of the suffix."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix.lower() in (".tif", ".tiff"):
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack", metadata=None)
    else:
        Image.fromarray(pixels).save(path)
    return path


def save_pairs(raw: Path, stems: Sequence[str], shape: tuple[int, int] = (6, 8)) -> Path:
    """Write images of these stems with different noise, and label images with objects along the diagonal."""
    for number, stem in enumerate(stems):
        save(raw / "images" / f"{stem}.tif", noise(shape, seed=number))
        save(raw / "labels" / f"{stem}_label.tiff", np.eye(*shape, dtype=np.uint16))
    return raw


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return time and content of each file in a folder and below."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def contents(folder: Path) -> dict[str, bytes]:
    return {name: content for name, (_, content) in snapshot(folder).items()}


def kinds(prepared: Prepared) -> list[tuple[str, str]]:
    """Return place and kind of each fault."""
    return [(fault.place, fault.kind) for fault in prepared.faults]


def sections_of(prepared: Prepared) -> dict[str, list[str]]:
    """Return the names of the image files in each section."""
    sections = load_datalist(prepared.output)
    return {name: [Path(item["image"]).name for item in items] for name, items in sections.items()}


class PreparerContract:
    layout: ClassVar[str]
    # Kinds of warnings that `check_dataset` correctly reports for this layout.
    warnings: ClassVar[tuple[str, ...]] = ()
    # True if the layout is detected from its files.
    guessed: ClassVar[bool] = True

    def write(self, raw: Path) -> dict[str, int | None]:
        """Write a raw folder without faults, and return the number of objects of each image in the datalist, by stem.

        The number is None for an image without labels.
        """
        raise NotImplementedError

    @pytest.fixture
    def raw(self, tmp_path: Path) -> Path:
        folder = tmp_path / "raw"
        self.write(folder)
        return folder

    def prepare(self, raw: Path) -> Prepared:
        return prepare(raw, raw.parent / "prepared", layout=None if self.guessed else self.layout, workers=1)

    def test_the_layout_is_detected_or_must_be_given(self, raw: Path) -> None:
        if self.guessed:
            assert find_preparer(raw).name == self.layout
        else:
            with pytest.raises(DatasetError, match="choose one of these with --layout"):
                find_preparer(raw)

    def test_folders_of_archives_and_files_of_macos_do_not_matter(self, raw: Path, tmp_path: Path) -> None:
        wrapped = tmp_path / "wrapped" / "set_v1"
        shutil.copytree(raw, wrapped)
        for folder in [wrapped.parent / "__MACOSX", *[path for path in wrapped.rglob("*") if path.is_dir()]]:
            folder.mkdir(exist_ok=True)
            (folder / "._junk.tif").write_bytes(b"\0\5\x16\7")
        layout = None if self.guessed else self.layout
        done = prepare(wrapped.parent, tmp_path / "other", layout=layout, workers=1)
        assert done.faults == []
        assert done.images == self.prepare(raw).images

    def test_every_image_is_listed_once_with_its_objects(self, tmp_path: Path) -> None:
        expected = self.write(tmp_path / "raw")
        prepared = self.prepare(tmp_path / "raw")
        assert prepared.faults == []
        counts: dict[str, int | None] = {}
        for items in load_datalist(prepared.output).values():
            for item in items:
                label = item.get("label")
                counts[Path(item["image"]).stem] = len(np.unique(read_labels(label))) - 1 if label else None
        assert counts == expected
        assert prepared.objects == sum(count or 0 for count in expected.values())

    def test_the_prepared_set_has_no_faults(self, raw: Path) -> None:
        faults = check_dataset(self.prepare(raw).output)
        assert [fault for fault in faults if fault.kind not in self.warnings or fault.severity == "error"] == []

    def test_images_keep_their_pixels(self, raw: Path) -> None:
        output = self.prepare(raw).output
        pictures = [path for path in raw.rglob("*") if path.suffix.lower() in (".tif", ".tiff", ".png", ".bmp")]
        raw_pixels = {read(path).pixels.tobytes() for path in pictures}
        for path in [*output.glob("images/*"), *output.glob("unlabelled/*")]:
            assert read(path).pixels.tobytes() in raw_pixels

    def test_source_md_is_copied(self, raw: Path) -> None:
        (raw / "SOURCE.md").write_text("CC0")
        assert (self.prepare(raw).output / "SOURCE.md").read_text() == "CC0"

    def test_a_second_run_does_nothing(self, raw: Path) -> None:
        before = snapshot(self.prepare(raw).output)
        again = self.prepare(raw)
        assert again.written == 0
        assert snapshot(again.output) == before

    def test_an_interrupted_run_is_resumed(self, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = contents(prepare(raw, tmp_path / "whole", layout=self.layout, workers=1).output)
        convert, calls = runner.convert, []

        def interrupted(work, **places):
            if calls:
                (tmp_path / "prepared" / "images").mkdir(exist_ok=True)
                (tmp_path / "prepared" / "images" / ".half.tif.0123.part").write_bytes(b"half")
                raise KeyboardInterrupt
            calls.append(work.stem)
            return convert(work, **places)

        with monkeypatch.context() as patched:
            patched.setattr(runner, "convert", interrupted)
            with pytest.raises(KeyboardInterrupt):
                self.prepare(raw)
        journal = tmp_path / "prepared" / ".prepared.journal"
        journal.write_text(journal.read_text() + '{"stem": "cut o')
        works = len(PREPARERS[self.layout].find(raw).works)
        prepared = self.prepare(raw)
        assert (prepared.images, prepared.written) == (works, works - 1)
        assert contents(prepared.output) == whole

    def test_an_unreadable_image_is_reported_and_the_rest_prepared(self, raw: Path) -> None:
        works = PREPARERS[self.layout].find(raw).works
        works[0].image.write_bytes(works[0].image.read_bytes()[:30])
        prepared = self.prepare(raw)
        place = works[0].image.relative_to(raw).as_posix()
        assert [(fault.place, fault.kind) for fault in prepared.faults] == [(place, "unreadable")]
        assert prepared.images == len(works) - 1
        assert not list(prepared.output.glob(f"*/{works[0].stem}.*"))

    def test_a_changed_file_is_prepared_again(self, raw: Path) -> None:
        self.prepare(raw)
        os.utime(PREPARERS[self.layout].find(raw).works[0].image, ns=(0, 0))
        assert self.prepare(raw).written == 1
