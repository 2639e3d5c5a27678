"""The progress bar of a run."""

from pathlib import Path

from cellseg_monai.cli.progress import Progress
from cellseg_monai.inference import Done, Failed, ImageFile


def test_images_objects_and_parts_of_a_large_image_are_counted(capsys):
    image = ImageFile(Path("a.npy"))
    with Progress(4, done=1) as progress:
        progress.add(Done(image, "", "ZCYX", (3, 2, 1000, 1000), 7, (), 1.0))
        progress.add(Failed(image, "unreadable"))
        progress.see(500_000, of=1_000_000)
        assert progress._bar.n == 3.5
    assert (progress.segmented, progress.objects, progress.megapixels) == (1, 7, 3.0)
    assert "3/4 images" in capsys.readouterr().err
    assert progress.seconds() > 0


def test_what_was_chosen_is_one_line_an_image_whatever_its_name(capsys):
    small = {"kind": "fluorescence_nuclei", "diameter_px": 8.0, "bundle": "nuclei", "zoom": 2.5, "invert": False}
    choices = (small, {**small, "diameter_px": 20.0, "zoom": 1.0}, {**small, "kind": "none", "bundle": "mine"})
    image = ImageFile(Path("a\udcff\nb.npy"))
    with Progress(2, done=0) as progress:
        progress.add(Done(image, "", "ZCYX", (3, 1, 10, 10), 0, (), 1.0, choices=choices))
        progress.add(Done(image, "", "ZCYX", (2, 1, 10, 10), 0, (), 1.0, choices=(small, small)))
    lines = [line for line in capsys.readouterr().err.splitlines() if "→" in line]
    assert [line[line.index("a\\udcff") :] for line in lines] == [
        "a\\udcff\\nb.npy: 3 planes differ: nuclei in fluorescence and none of the known kinds of microscope images, "
        "about 8 to 20 px → nuclei and mine at 1 to 2.5×",
        "a\\udcff\\nb.npy: nuclei in fluorescence, about 8 px → nuclei at 2.5×",
    ]
