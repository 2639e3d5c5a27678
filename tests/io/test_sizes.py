"""Sizes as files state them, with notes on what is not understood."""

import pytest

from cellseg_monai.formats.sizes import NO_SIZES, Sizes, Stated, understood_sizes

HALF = Stated(0.5, "µm")


@pytest.mark.parametrize(
    ("y", "x", "words"),
    [
        (Stated(2, "furlong"), Stated(3, "furlong"), "a pixel size of 2 'furlong' × 3 'furlong'"),
        (Stated("wide", "µm"), HALF, "wide 'µm' × 0.5 'µm'"),
        (Stated(-1, "µm"), Stated(-1, "µm"), "-1 'µm'"),
        (Stated("nan", "mm"), Stated("nan", "mm"), "nan 'mm'"),
        (HALF, Stated(), "a height of 0.5 'µm'"),
        (Stated(), HALF, "a width of 0.5 'µm'"),
        (Stated(1, "pixel"), HALF, "a width of 0.5 'µm'"),
        (Stated(0.3), Stated(0.3), "0.3 without a unit"),
        (Stated(2, "x" * 1000), Stated(2, "x" * 1000), f"2 '{'x' * 30}'"),
    ],
    ids=[
        "unknown unit", "no number", "negative", "not a number", "no width", "no height", "width in pixels", "no unit",
        "very long unit",
    ],
)  # fmt: skip
def test_a_pixel_size_that_is_not_understood_is_noted(y, x, words):
    sizes = understood_sizes(y, x)
    assert sizes.pixel_size_um is None
    (note,) = sizes.notes
    assert note.kind == "pixel-size"
    assert words in note.text
    assert len(note.text) < 250


@pytest.mark.parametrize(
    "stated", [Stated(), Stated(1), Stated(1, ""), Stated(7, "pixel"), Stated(1, "reference frame"), Stated(0, "µm")]
)
def test_files_that_know_no_size_are_not_noted(stated):
    assert understood_sizes(stated, stated, stated, stated) == NO_SIZES


def test_a_pixel_size_of_no_microscope_is_used_and_noted():
    sizes = understood_sizes(Stated(0.3, "Mm"), Stated(0.3, "Mm"))
    assert sizes.pixel_size_um == (3e11, 3e11)
    assert "no microscope" in sizes.notes[0].text


def test_steps_that_are_not_understood_are_noted_and_the_pixel_size_is_used():
    sizes = understood_sizes(HALF, HALF, Stated(3, "cubits"), Stated(2, "moons"))
    assert (sizes.pixel_size_um, sizes.z_step_um, sizes.time_step_s) == ((0.5, 0.5), None, None)
    assert [note.kind for note in sizes.notes] == ["z-step", "time-step"]


def test_other_sizes_are_only_taken_if_no_pixel_size_was_stated():
    others = Sizes((2.0, 2.0), 4.0)
    assert Sizes(z_step_um=3.0).or_else(lambda: others) == Sizes((2.0, 2.0), 3.0)
    assert Sizes((1.0, 1.0)).or_else(lambda: others) == Sizes((1.0, 1.0))
    unclear = understood_sizes(Stated(2, "furlong"), Stated(2, "furlong"))
    assert unclear.or_else(lambda: others) == unclear
