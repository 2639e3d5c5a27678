import pytest
import torch
from torch import nn

from cellseg_monai.networks.padding import Padded


class Recorder(nn.Module):
    """A network that keeps its input and returns it."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen = image
        return image


def test_an_image_that_fits_is_passed_on_without_a_copy() -> None:
    padded, image = Padded(Recorder(), multiple=4, minimum=8), torch.rand(2, 1, 8, 12)
    assert padded(image) is image
    assert padded.network.seen is image


def test_the_border_is_replicated_below_and_to_the_right() -> None:
    padded = Padded(Recorder(), multiple=4)
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert torch.equal(padded(image), image)
    assert padded.network.seen.tolist() == [
        [[[1.0, 2.0, 3.0, 3.0], [4.0, 5.0, 6.0, 6.0], [7.0, 8.0, 9.0, 9.0], [7.0, 8.0, 9.0, 9.0]]]
    ]


@pytest.mark.parametrize(
    ("size", "expected"), [((1, 1), (12, 12)), ((12, 13), (12, 16)), ((8, 17), (12, 20)), ((16, 4), (16, 12))]
)
def test_sides_become_multiples_of_at_least_the_minimum(size: tuple[int, int], expected: tuple[int, int]) -> None:
    # A minimum of 10 becomes 12, the next multiple of 4.
    padded = Padded(Recorder(), multiple=4, minimum=10)
    assert padded.padded_size(*size) == expected
    padded(torch.rand(1, 1, *size))
    assert padded.network.seen.shape == (1, 1, *expected)


@pytest.mark.parametrize("kind", [list, tuple])
def test_all_outputs_are_cropped(kind: type) -> None:
    class Several(nn.Module):
        def forward(self, image: torch.Tensor) -> list[torch.Tensor] | tuple[torch.Tensor, ...]:
            return kind([image, 2 * image])

    image = torch.rand(1, 1, 5, 7)
    outputs = Padded(Several(), multiple=4)(image)
    assert type(outputs) is kind
    assert torch.equal(outputs[0], image)
    assert torch.equal(outputs[1], 2 * image)


def test_an_output_for_the_whole_image_is_not_cropped() -> None:
    class Mean(nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image, image.mean((2, 3))

    assert Padded(Mean(), multiple=4)(torch.rand(2, 3, 5, 5))[1].shape == (2, 3)


def test_torch_export_allows_other_sizes_that_fit() -> None:
    padded = Padded(nn.Conv2d(1, 1, 3, padding=1), multiple=4, minimum=8).eval()
    sides = {2: 4 * torch.export.Dim("y", min=2, max=99), 3: 4 * torch.export.Dim("x", min=2, max=99)}
    exported = torch.export.export(padded, (torch.rand(1, 1, 16, 12),), dynamic_shapes={"image": sides}).module()
    image = torch.rand(1, 1, 8, 20)
    torch.testing.assert_close(exported(image), padded(image))
