"""What a command prints at its end."""

from pathlib import Path

from cellseg_monai.cli.faults import print_flags, print_notes
from cellseg_monai.flag import Flag
from cellseg_monai.io import Note


def test_one_note_of_each_kind_is_printed_with_the_number_of_its_images(capsys):
    print_notes(
        [
            (Path("a.tif"), Note("pixel-size", "its size is in furlong")),
            (Path("a.tif"), Note("orientation", "it is turned")),
            (Path("b.tif"), Note("pixel-size", "its size is in cubit")),
            (Path("c.tif"), Note("pixel-size", "its size is in furlong")),
        ]
    )
    assert capsys.readouterr().err.splitlines() == [
        "note: a.tif: its size is in furlong (and 2 more image(s), see the notes in run.json)",
        "note: a.tif: it is turned",
    ]


def test_without_notes_nothing_is_printed(capsys):
    print_notes([])
    assert capsys.readouterr().err == ""


def test_a_line_for_each_kind_of_flag_names_the_first_images(capsys):
    print_flags(
        [
            *((Path(f"{name}.tif"), Flag("mask", "2 different values", "serious")) for name in "abcd"),
            (Path("a.tif"), Flag("no objects", "0 objects", "note", "Z0")),
            (Path("a.tif"), Flag("no objects", "0 objects", "note", "Z1")),
        ]
    )
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["note", "serious"]
    assert lines[0].startswith("note: 1 image(s) flagged no objects: no objects were found: a.tif; see")
    assert "4 image(s) flagged mask: " in lines[1]
    assert "a.tif, b.tif, c.tif, …; see" in lines[1]
