"""A network that trains the encoder of another one on images without labels.

Two tasks teach an encoder what images have in common. For contrast, it must recognise two views of one crop among those
of other crops (Chen et al. 2020, SimCLR, arXiv:2002.05709). For inpainting, it must fill in blocks that were hidden
(Pathak et al. 2016, doi:10.1109/CVPR.2016.278; He et al. 2022, doi:10.1109/CVPR52688.2022.01553).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import build_network, recorded
from cellseg_monai.networks.encoder_part import unwrapped

__all__ = ["PretrainingNetwork", "pretraining_network"]


@recorded
def pretraining_network(
    of: Mapping[str, Any], *, contrast: bool = True, inpainting: bool = True, projected: int = 64, width: int = 48
) -> nn.Module:
    """Build a network around the encoder of another one, with the same tensors under the same names.

    Args:
        of: definition of the network whose encoder is to be trained; see `recorded`. The encoder starts from random
            weights.
        contrast: True to project views for the contrastive loss.
        inpainting: True to fill in hidden blocks.
        projected: number of values to which a view is projected.
        width: number of channels of the decoder that fills in blocks.

    Raises:
        BundleError: the network has no encoder from segmentation-models-pytorch.
        ValueError: neither task is wanted.

    >>> from cellseg_monai.networks import smp_model
    >>> network = pretraining_network(smp_model("unet", encoder_name="resnet18").definition).eval()
    >>> {name: tuple(part.shape) for name, part in network(torch.zeros(2, 4, 64, 64)).items()}
    {'views': (2, 2, 64), 'inpainted': (2, 1, 64, 64), 'features': (2, 512)}
    """
    if not (contrast or inpainting):
        raise ValueError("got neither contrast nor inpainting, expected at least one task; give one a weight above 0")
    encoder = getattr(unwrapped(build_network(of)), "encoder", None)
    channels = getattr(encoder, "out_channels", None)
    if not isinstance(encoder, nn.Module) or channels is None:
        raise BundleError(
            f"got the network {of.get('network')!r}, whose encoder is not from segmentation-models-pytorch, so it "
            "cannot be pretrained; choose a bundle or variant with an encoder_name"
        )
    return PretrainingNetwork(
        encoder,
        in_channels=int(of.get("in_channels", 1)),
        contrast=contrast,
        inpainting=inpainting,
        projected=projected,
        width=width,
    )


class PretrainingNetwork(nn.Module):
    """An encoder with a projection for views, and a small decoder for hidden blocks.

    Args:
        encoder: module that takes B×C×Y×X float32, from 0 to 1, and returns a list of features, B×F×Y×X each, from the
            finest to the deepest. Its attribute `out_channels` has their numbers of channels F.
        in_channels: number of image channels C.
        contrast: see `pretraining_network`.
        inpainting: see `pretraining_network`.
        projected: see `pretraining_network`.
        width: see `pretraining_network`.
    """

    def __init__(
        self, encoder: nn.Module, *, in_channels: int, contrast: bool, inpainting: bool, projected: int, width: int
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.in_channels = in_channels
        self.contrast = contrast
        self.inpainting = inpainting
        sizes = [int(count) for count in encoder.out_channels]
        if contrast:
            self.projection = nn.Sequential(
                nn.Linear(sizes[-1], sizes[-1]), nn.LayerNorm(sizes[-1]), nn.ReLU(), nn.Linear(sizes[-1], projected)
            )
        if inpainting:
            self.decoder = _Decoder(sizes[1:], width, in_channels)

    def forward(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Return what the encoder says about each crop.

        Args:
            images: B×3C×Y×X: the first view, the second view, and the crop with hidden blocks, C channels each; or
                B×4C×Y×X, with the unchanged crop at the end, to compare crops by their features.

        Returns:
            `views`: B×2×P projections of both views, for contrast.
            `inpainted`: B×C×Y×X pixels, for inpainting.
            `features`: B×F means of the deepest features of the unchanged crop, if it is given.
        """
        first, second, hidden, *unchanged = images.split(self.in_channels, dim=1)
        answer: dict[str, torch.Tensor] = {}
        if self.contrast:
            pooled = self.encoder(torch.cat([first, second]))[-1].mean(dim=(2, 3))
            answer["views"] = torch.stack(self.projection(pooled).chunk(2), dim=1)
        if self.inpainting:
            features = self.encoder(hidden)
            answer["inpainted"] = self.decoder(features[1:], (hidden.shape[2], hidden.shape[3]))
        for crop in unchanged:
            answer["features"] = self.encoder(crop)[-1].mean(dim=(2, 3))
        return answer


class _Decoder(nn.Module):
    """Adds up the features of all levels, from the deepest to the finest, and turns the sum into pixels.

    There is no skip connection from the image itself, which would let the decoder copy what is visible.
    """

    def __init__(self, sizes: Sequence[int], width: int, out_channels: int) -> None:
        super().__init__()
        # Some transformers have a level without channels.
        self.levels = [level for level, size in enumerate(sizes) if size > 0]
        self.lateral = nn.ModuleList(nn.Conv2d(sizes[level], width, kernel_size=1) for level in self.levels)
        self.smooth = nn.ModuleList(nn.Conv2d(width, width, kernel_size=3, padding=1) for _ in self.levels)
        self.pixels = nn.Conv2d(width, out_channels, kernel_size=3, padding=1)

    def forward(self, features: Sequence[torch.Tensor], size: tuple[int, int]) -> torch.Tensor:
        joined: torch.Tensor | None = None
        for level, lateral, smooth in reversed(list(zip(self.levels, self.lateral, self.smooth, strict=True))):
            part = lateral(features[level])
            if joined is not None:
                part = part + functional.interpolate(joined, size=part.shape[2:], mode="nearest")
            joined = functional.relu(smooth(part))
        return self.pixels(functional.interpolate(joined, size=size, mode="bilinear", align_corners=False))
