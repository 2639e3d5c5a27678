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
