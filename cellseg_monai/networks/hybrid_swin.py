"""Swin UNETR: a Swin transformer as encoder, a convolutional decoder."""

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
    (doi:10.1007/978-3-031-08999-2_22). It is another network than `swin_unet`: its decoder is convolutional.

    Args:
        in_channels: channels of the image.
        classes: channels of the output, logits B×classes×Y×X.
        feature_size: channels of the first stage, a multiple of 12; each of the four stages doubles them.
        depths: transformer blocks of the stages.
        num_heads: attention heads of the stages; each divides the channels of its stage.
        window_size: side of the attention windows, in positions.
        drop_path_rate: share of the examples for which the last block is skipped in training, 0 to 1; it grows
            from 0 at the first block.
        norm: MONAI's name of the decoder's normalisation, or the name with its arguments:
            `["group", {"num_groups": 4}]`.

    Raises:
        BundleError: SwinUNETR does not work with the arguments.

    >>> swin_unetr(feature_size=12).padded_size(1, 65)
    (64, 96)
    """
    if not len(depths) == len(num_heads) == 4:
        raise BundleError(f"depths and num_heads have {len(depths)} and {len(num_heads)} stages; give four of each")
    if any(feature_size * 2**stage % heads for stage, heads in enumerate(num_heads)):
        raise BundleError(
            f"num_heads is {list(num_heads)}, feature_size {feature_size}: the heads of each stage must divide its "
            "channels, which double from stage to stage; change one of them"
        )
    # 32 by its five halvings; 64 because instance normalisation has nothing to normalise in the 1×1 that 32 leaves.
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
