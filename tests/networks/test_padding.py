import pytest
import torch
from torch import nn

from cellseg_monai.networks.padding import Padded


class Sees(nn.Module):
    """Remembers what it is given, and gives it back."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.seen = image
        return image


def test_an_image_that_fits_is_handed_on_itself() -> None:
    padded, image = Padded(Sees(), multiple=4, minimum=8), torch.rand(2, 1, 8, 12)
    assert padded(image) is image
    assert padded.network.seen is image


def test_the_border_is_continued_below_and_right() -> None:
    padded = Padded(Sees(), multiple=4)
    image = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]]])
    assert torch.equal(padded(image), image)
    assert padded.network.seen.tolist() == [
        [[[1.0, 2.0, 3.0, 3.0], [4.0, 5.0, 6.0, 6.0], [7.0, 8.0, 9.0, 9.0], [7.0, 8.0, 9.0, 9.0]]]
    ]


@pytest.mark.parametrize(
    ("given", "expected"), [((1, 1), (12, 12)), ((12, 13), (12, 16)), ((8, 17), (12, 20)), ((16, 4), (16, 12))]
)
def test_sides_become_multiples_of_at_least_the_minimum(given: tuple[int, int], expected: tuple[int, int]) -> None:
    # A minimum of 10 is 12, the next multiple.
    padded = Padded(Sees(), multiple=4, minimum=10)
    assert padded.padded_size(*given) == expected
    padded(torch.rand(1, 1, *given))
    assert padded.network.seen.shape == (1, 1, *expected)


@pytest.mark.parametrize("kind", [list, tuple])
def test_all_answers_are_cropped(kind: type) -> None:
    class Several(nn.Module):
        def forward(self, image: torch.Tensor) -> list[torch.Tensor] | tuple[torch.Tensor, ...]:
            return kind([image, 2 * image])

    image = torch.rand(1, 1, 5, 7)
    answers = Padded(Several(), multiple=4)(image)
    assert type(answers) is kind
    assert torch.equal(answers[0], image)
    assert torch.equal(answers[1], 2 * image)


def test_an_answer_on_the_whole_image_stays() -> None:
    class Mean(nn.Module):
        def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return image, image.mean((2, 3))

    assert Padded(Mean(), multiple=4)(torch.rand(2, 3, 5, 5))[1].shape == (2, 3)


def test_torch_export_keeps_fitting_sizes_open() -> None:
    padded = Padded(nn.Conv2d(1, 1, 3, padding=1), multiple=4, minimum=8).eval()
    sides = {2: 4 * torch.export.Dim("y", min=2, max=99), 3: 4 * torch.export.Dim("x", min=2, max=99)}
    exported = torch.export.export(padded, (torch.rand(1, 1, 16, 12),), dynamic_shapes={"image": sides}).module()
    image = torch.rand(1, 1, 8, 20)
    torch.testing.assert_close(exported(image), padded(image))
