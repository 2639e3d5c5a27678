"""U-Net++: nested U-Nets with a shared encoder, supervised at four levels and prunable to any of these levels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from segmentation_models_pytorch.encoders import get_encoder
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.encoder import load_encoder_weights
from cellseg_monai.networks.padding import Padded

__all__ = ["set_pruning", "unet_plus_plus"]

_LEVELS = 4


@recorded
def unet_plus_plus(
    *,
    encoder_name: str = "resnet34",
    encoder_weights: str | None = None,
    in_channels: int = 1,
    classes: int = 1,
    decoder_channels: Sequence[int] = (256, 128, 64, 32, 16),
    norm: bool = True,
    prune: int = _LEVELS,
) -> nn.Module:
    """Build a U-Net++ with deep supervision and pruning that accepts images of any size.

    The architecture is from Zhou et al., "UNet++: redesigning skip connections to exploit multiscale features in image
    segmentation", 2020 (doi:10.1109/TMI.2019.2959609), with an encoder from segmentation-models-pytorch (SMP).

    In training mode, the network returns a list of logits, the deepest level first, as MONAI's DeepSupervisionLoss
    expects. In evaluation mode, it returns the logits of one level and skips everything that only deeper levels need.

    Args:
        encoder_name: name of the encoder in SMP, such as `"resnet34"`.
        encoder_weights: the name of pretrained weights in SMP, such as `"imagenet"`, which are downloaded once; or the
            path of the encoder's state dict (`.safetensors` or a torch file) for 3-channel images. None for random
            weights.
        in_channels: number of image channels. For numbers other than 3, weights are adapted as in SMP.
        classes: number of output channels. The logits are B×classes×Y×X.
        decoder_channels: number of channels in the nodes at 1/16, 1/8, 1/4 and 1/2 of the image resolution, and in
            the heads at full resolution, as in SMP.
        norm: True to apply batch normalisation after each decoder convolution.
        prune: level whose logits are returned in evaluation mode, 1 (fastest) to 4. `set_pruning` changes the level.

    Raises:
        BundleError: the encoder is unknown or cannot stop early, its weights cannot be loaded, or an argument is
            invalid.

    >>> network = unet_plus_plus(encoder_name="resnet18")
    >>> [tuple(logits.shape) for logits in network(torch.zeros(2, 1, 33, 40))]
    [(2, 1, 33, 40), (2, 1, 33, 40), (2, 1, 33, 40), (2, 1, 33, 40)]
    >>> network.eval()(torch.zeros(2, 1, 33, 40)).shape
    torch.Size([2, 1, 33, 40])
    """
    if len(decoder_channels) != _LEVELS + 1:
        raise BundleError(
            f"got decoder_channels={list(decoder_channels)}, expected {_LEVELS + 1} numbers, deepest level first"
        )
    try:
        encoder = get_encoder(encoder_name, in_channels=in_channels, depth=_LEVELS + 1)
    except KeyError as error:
        raise BundleError(str(error.args[0])) from error
    _check_encoder(encoder, encoder_name, in_channels)
    load_encoder_weights(
        encoder, encoder_weights, encoder_name=encoder_name, in_channels=in_channels, depth=_LEVELS + 1
    )
    network = _UNetPlusPlus(encoder, classes, decoder_channels, norm=norm)
    network.prune = _checked_level(prune)
    return Padded(network, multiple=2 ** (_LEVELS + 1), in_channels=in_channels)


def set_pruning(network: nn.Module, level: int | None) -> nn.Module:
    """Set the level whose logits a U-Net++ returns in evaluation mode.

    Args:
        network: network built by `unet_plus_plus`, or a module that contains one. It is changed in place.
        level: 1 (fastest) to 4. None leaves the network unchanged, whether it is a U-Net++ or not.

    Returns:
        The same network.

    Raises:
        BundleError: the network contains no U-Net++ from `unet_plus_plus`, or the level does not exist.

    >>> set_pruning(unet_plus_plus(encoder_name="resnet18"), 2).definition["prune"]
    2
    """
    if level is None:
        return network
    _checked_level(level)
    padded = [
        module
        for module in network.modules()
        if isinstance(module, Padded) and isinstance(module.network, _UNetPlusPlus)
    ]
    if not padded:
        raise BundleError(
            f"{type(network).__name__} contains no prunable U-Net++; build the network with unet_plus_plus"
        )
    for module in padded:
        module.network.prune = level
        module.definition["prune"] = level
    return network


def _checked_level(level: int) -> int:
    if level not in range(1, _LEVELS + 1):
        raise BundleError(f"got pruning level {level!r}, expected 1 to {_LEVELS}; choose one of these levels")
    return level


def _check_encoder(encoder: nn.Module, encoder_name: str, in_channels: int) -> None:
    """Raise an error if the encoder does not halve the image at each stage, or if it cannot stop after two stages."""
    image = torch.zeros(1, in_channels, 64, 64)
    channels = encoder.out_channels
    training = encoder.training
    for depth in (2, _LEVELS + 1):
        with torch.no_grad():
            features = _features(encoder.eval(), image, depth)
        expected = [(1, channels[stage], 64 >> stage, 64 >> stage) for stage in range(1, depth + 1)]
        if 0 in channels or [tuple(feature.shape) for feature in features] != expected:
            raise BundleError(
                f"the encoder {encoder_name} does not return features at 1/2, 1/4, ... 1/{2**depth} of the image "
                f"resolution when it stops after {depth} stages, as pruning requires; use one such as resnet34"
            )
    encoder.train(training)


def _features(encoder: nn.Module, image: torch.Tensor, stages: int) -> list[torch.Tensor]:
    """Run only the first stages, and return their features at 1/2, 1/4, ... of the image resolution."""
    # Every SMP encoder has `_depth`, the number of stages after which forward stops.
    encoder._depth = stages
    return encoder(image)[1:]


class _UNetPlusPlus(nn.Module):
    """The U-Net++ itself, which needs images whose Y and X are multiples of 32.

    `nodes["x_i_j"]` is the paper's X^{i,j}, in row i and column j. The resolution halves from row to row, and column 0
    is the encoder. Level L is the U-Net++ made of the nodes with i + j ≤ L, with its output at X^{0,L}.
    """

    def __init__(self, encoder: nn.Module, classes: int, decoder_channels: Sequence[int], *, norm: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.prune = _LEVELS
        encoder_channels = list(encoder.out_channels[1:])
        *rows, last = decoder_channels
        rows.reverse()
        self.nodes = nn.ModuleDict()
        for column in range(1, _LEVELS + 1):
            for row in range(_LEVELS + 1 - column):
                before = encoder_channels[row] + (column - 1) * rows[row]
                below = encoder_channels[row + 1] if column == 1 else rows[row + 1]
                self.nodes[f"x_{row}_{column}"] = _convolutions(before + below, rows[row], norm=norm)
        # Row 0 has half the resolution of the image, like the first encoder stage, so the heads double it.
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2, mode="nearest"),
                _convolutions(rows[0], last, norm=norm),
                nn.Conv2d(last, classes, 1),
            )
            for _ in range(_LEVELS)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor | list[torch.Tensor]:
        """Return the logits, B×classes×Y×X.

        In training mode, this is a list with the logits of all levels, the deepest first. In evaluation mode, it is
        the logits of level `prune`.
        """
        level = _LEVELS if self.training else self.prune
        rows = [[features] for features in _features(self.encoder, image, level + 1)]
        for column in range(1, level + 1):
            for row in range(level + 1 - column):
                below = F.interpolate(rows[row + 1][column - 1], scale_factor=2.0, mode="nearest")
                rows[row].append(self.nodes[f"x_{row}_{column}"](torch.cat([*rows[row], below], 1)))
        if self.training:
            return [self.heads[depth - 1](rows[0][depth]) for depth in range(_LEVELS, 0, -1)]
        return self.heads[level - 1](rows[0][level])


def _convolutions(in_channels: int, out_channels: int, *, norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inputs in (in_channels, out_channels):
        # With normalisation, a bias would have no effect.
        convolution = nn.Conv2d(inputs, out_channels, 3, padding=1, bias=not norm)
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        layers += [convolution, *([nn.BatchNorm2d(out_channels)] if norm else []), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
