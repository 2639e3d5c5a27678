"""Swin UNETR: a network with a Swin transformer as encoder and a convolutional decoder."""

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
    """MONAI's Swin UNETR in two dimensions, for images of any size.

    Hatamizadeh et al., "Swin UNETR: Swin transformers for semantic segmentation of brain tumors in MRI images", 2022
    (doi:10.1007/978-3-031-08999-2_22). Unlike `swin_unet`, it has a convolutional decoder.

    Args:
        in_channels: number of channels of the image.
        classes: number of channels of the logits, B×classes×Y×X.
        feature_size: number of channels of the first stage, a multiple of 12; it doubles from stage to stage.
        depths: number of transformer blocks of each of the four stages.
        num_heads: number of attention heads of each stage, a divisor of the number of channels of the stage.
        window_size: side of the attention windows, in positions.
        drop_path_rate: share of the examples for which the last block is skipped in training, 0 to 1; it grows
            from 0 at the first block.
        norm: name of the decoder's normalisation in MONAI, or the name with arguments, such as
            `["group", {"num_groups": 4}]`.

    Raises:
        BundleError: SwinUNETR refuses the arguments, or the stages do not fit each other.

    >>> swin_unetr(feature_size=12).padded_size(1, 65)
    (64, 96)
    """
    if not len(depths) == len(num_heads) == 4:
        raise BundleError(
            f"got {len(depths)} depths and {len(num_heads)} num_heads, expected four of each; give one per stage"
        )
    if any(feature_size * 2**stage % heads for stage, heads in enumerate(num_heads)):
        raise BundleError(
            f"got num_heads={list(num_heads)} and feature_size={feature_size}, but the heads of each stage must divide "
            "its channels, which double from stage to stage; change one of them"
        )
    # A multiple of 32 for the five halvings; at least 64 because instance normalisation needs more than the single
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
