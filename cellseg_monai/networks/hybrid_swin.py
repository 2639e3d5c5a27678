"""Swin UNETR: a Swin transformer encoder with a convolutional decoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.monai_networks import padded_monai_network

__all__ = ["swin_unetr"]


@recorded
def swin_unetr(
    *,
    in_channels: int = 1,
    classes: int = 1,
    feature_size: int = 24,
    depths: Sequence[int] = (2, 2, 2, 2),
    num_heads: Sequence[int] = (3, 6, 12, 24),
    window_size: int = 7,
    drop_path_rate: float = 0.1,
    norm: str | Sequence[Any] = "instance",
) -> nn.Module:
    """Build MONAI's Swin UNETR for two-dimensional images of any size.

    The architecture is from Hatamizadeh et al., "Swin UNETR: Swin transformers for semantic segmentation of brain
    tumors in MRI images", 2022 (doi:10.1007/978-3-031-08999-2_22). Unlike `swin_unet`, it has a convolutional decoder.

    Args:
        in_channels: number of image channels.
        classes: number of output channels. The network returns logits, B×classes×Y×X.
        feature_size: number of channels in the first stage, a multiple of 12. Every further stage doubles it.
        depths: number of transformer blocks in each of the four stages.
        num_heads: number of attention heads in each stage, a divisor of the stage's number of channels.
        window_size: side of the attention windows, in feature-map positions.
        drop_path_rate: fraction of the examples for which training skips the last block, 0 to 1. The fraction rises
            linearly from 0 at the first block.
        norm: name of the decoder's normalisation in MONAI, or the name with its arguments, such as
            `["group", {"num_groups": 4}]`.

    Raises:
        BundleError: SwinUNETR rejects the arguments, or the lengths, heads and channels of the stages do not match.

    >>> swin_unetr(feature_size=12).padded_size(1, 65)
    (64, 96)
    """
    if not len(depths) == len(num_heads) == 4:
        raise BundleError(
            f"got {len(depths)} depths and {len(num_heads)} num_heads, expected four of each; pass one per stage"
        )
    if any(feature_size * 2**stage % heads for stage, heads in enumerate(num_heads)):
        raise BundleError(
            f"got num_heads={list(num_heads)} and feature_size={feature_size}, expected the number of heads in each "
            "stage to divide its number of channels, which starts at feature_size and doubles from stage to stage; "
            "change num_heads or feature_size"
        )
    # Five halvings require a multiple of 32. The minimum is 64 because instance normalisation needs more than the one
    # position that 32 pixels would leave.
    return padded_monai_network(
        "SwinUNETR",
        in_channels=in_channels,
        classes=classes,
        multiple=32,
        minimum=64,
        options={
            "feature_size": feature_size,
            "depths": tuple(depths),
            "num_heads": tuple(num_heads),
            "window_size": window_size,
            "dropout_path_rate": drop_path_rate,
            "norm_name": norm if isinstance(norm, str) else tuple(norm),
        },
    )
