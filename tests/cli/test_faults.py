"""What a command prints at its end."""

from pathlib import Path

from cellseg_monai.cli.faults import print_notes
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
