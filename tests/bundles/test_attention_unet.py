from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.contracts.bundle import BundleContract


class TestAttentionUnet(BundleContract):
    name = "attention_unet"
    small_channels = (4, 8, 16)

    def test_tensorboard_shows_the_maps_of_the_attention_gates(self, trained: Path) -> None:
        (folder,) = (trained / "tensorboard").iterdir()
        events = EventAccumulator(str(folder), size_guidance={"images": 0}).Reload()
        pictures = events.Images("validation/0: attention, deepest gate first")
        assert [event.step for event in pictures] == [1, 2, 3]
        # The image and the maps of two gates, each of 72 rows and 80 columns, with lines of 4 pixels between them.
        assert (pictures[0].height, pictures[0].width) == (72, 3 * 80 + 2 * 4)
