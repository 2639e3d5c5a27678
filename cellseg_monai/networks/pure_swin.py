"""Swin-Unet: a U-Net built entirely from Swin transformer blocks."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from monai.networks.nets.swin_unetr import BasicLayer, PatchMergingV2
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.padding import Padded

__all__ = ["swin_unet"]

_PATCH = 4


@recorded
def swin_unet(
    *,
    in_channels: int = 1,
    classes: int = 1,
    embed_dim: int = 96,
    depths: Sequence[int] = (2, 2, 2, 2),
    decoder_depths: Sequence[int] = (2, 2, 2),
    num_heads: Sequence[int] = (3, 6, 12, 24),
    window_size: int = 7,
    mlp_ratio: float = 4.0,
    drop_path_rate: float = 0.1,
) -> nn.Module:
    """Build a Swin-Unet that accepts images of any size.

    The architecture is from Cao et al., "Swin-Unet: Unet-like pure transformer for medical image segmentation", 2022
    (doi:10.1007/978-3-031-25066-8_9). The encoder embeds patches of 4×4 pixels and merges 2×2 of them from stage to
    stage. Each decoder stage expands the patches again and joins the encoder features of the same resolution.

    Args:
        in_channels: number of image channels.
        classes: number of output channels. The network returns logits, B×classes×Y×X.
        embed_dim: number of channels in the first stage. Every further stage doubles it.
        depths: number of transformer blocks in each encoder stage. The last stage is the bottleneck.
        decoder_depths: number of transformer blocks in each decoder stage, the deepest first. The decoder has one
            stage fewer than the encoder.
        num_heads: number of attention heads in each encoder stage, a divisor of the stage's number of channels. The
            decoder stage at the same resolution has the same number.
        window_size: side of the attention windows, in feature-map positions.
        mlp_ratio: width of each block's hidden layer, as a multiple of its number of channels.
        drop_path_rate: fraction of the examples for which training skips the deepest block, 0 to 1. The fraction rises
            linearly from 0 at the first block and falls again in the decoder.

    Raises:
        BundleError: the numbers of stages, heads and channels do not match.

    >>> network = swin_unet(embed_dim=8, depths=(1, 1), decoder_depths=(1,), num_heads=(1, 2)).eval()
    >>> network(torch.zeros(1, 1, 9, 5)).shape
    torch.Size([1, 1, 9, 5])
    """
    if not len(depths) == len(num_heads) == len(decoder_depths) + 1:
        raise BundleError(
            f"got {len(depths)} depths, {len(num_heads)} num_heads and {len(decoder_depths)} decoder_depths, expected "
            "as many num_heads as depths, and one fewer decoder_depths; pass lists of matching lengths"
        )
    if any(embed_dim * 2**stage % heads for stage, heads in enumerate(num_heads)):
        raise BundleError(
            f"got num_heads={list(num_heads)} and embed_dim={embed_dim}, expected the number of heads in each stage to "
            "divide its number of channels, which starts at embed_dim and doubles from stage to stage; change "
            "num_heads or embed_dim"
        )
    stages = _Stages(num_heads, embed_dim, window_size, mlp_ratio)
    rates = _split(torch.linspace(0, drop_path_rate, sum(depths)).tolist(), depths)
    network = _SwinUnet(in_channels, classes, stages, rates, _decoder_rates(rates, decoder_depths))
    return Padded(network, multiple=_PATCH * 2 ** (len(depths) - 1), in_channels=in_channels)


def _split(rates: list[float], depths: Sequence[int]) -> list[list[float]]:
    starts = [sum(depths[:stage]) for stage in range(len(depths))]
    return [rates[start : start + depth] for start, depth in zip(starts, depths, strict=True)]


def _decoder_rates(rates: list[list[float]], decoder_depths: Sequence[int]) -> list[list[float]]:
    """Return the drop-path rates of the decoder blocks, the deepest stage first.

    Each decoder stage has the rates of the encoder stage at the same resolution. If the decoder stage has more blocks,
    the last rate is repeated.
    """
    return [
        (encoder + [encoder[-1]] * depth)[:depth]
        for encoder, depth in zip(reversed(rates[:-1]), decoder_depths, strict=True)
    ]


class _Stages:
    """The options shared by all stages in a network."""

    def __init__(self, num_heads: Sequence[int], embed_dim: int, window_size: int, mlp_ratio: float) -> None:
        self.num_heads, self.embed_dim = num_heads, embed_dim
        self.window_size, self.mlp_ratio = window_size, mlp_ratio

    def channels(self, stage: int) -> int:
        return self.embed_dim * 2**stage

    def blocks(self, stage: int, drop_path: list[float]) -> nn.Module:
        """Return transformer blocks with alternating plain and shifted windows. They keep the shape B×C×Y×X."""
        return BasicLayer(
            dim=self.channels(stage),
            depth=len(drop_path),
            num_heads=self.num_heads[stage],
            window_size=(self.window_size, self.window_size),
            drop_path=drop_path,
            mlp_ratio=self.mlp_ratio,
            qkv_bias=True,
        )


class _ChannelNorm(nn.LayerNorm):
    """Layer normalisation over the channels of B×C×Y×X."""

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return super().forward(features.movedim(1, -1)).movedim(-1, 1)


class _Merge(nn.Module):
    """Patch merging, from B×C×Y×X to B×2C×Y/2×X/2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.merge = PatchMergingV2(channels, spatial_dims=2)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.merge(features.movedim(1, -1)).movedim(-1, 1)


class _Expand(nn.Module):
    """Patch expansion by a factor f, from B×C×Y×X to B×out×fY×fX.

    A linear layer turns each position into f×f positions.
    """

    def __init__(self, channels: int, out_channels: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.linear = nn.Conv2d(channels, out_channels * factor**2, 1, bias=False)
        self.norm = _ChannelNorm(out_channels)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return self.norm(F.pixel_shuffle(self.linear(features), self.factor))


class _DecoderStage(nn.Module):
    """A decoder stage, which joins the expanded features from the stage below with the skip connection."""

    def __init__(self, stages: _Stages, stage: int, drop_path: list[float]) -> None:
        super().__init__()
        channels = stages.channels(stage)
        self.expand = _Expand(2 * channels, channels, 2)
        self.join = nn.Conv2d(2 * channels, channels, 1)
        self.blocks = stages.blocks(stage, drop_path)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return self.blocks(self.join(torch.cat([self.expand(features), skip], 1)))


class _SwinUnet(nn.Module):
    """The Swin-Unet itself, which needs images whose Y and X are multiples of 4·2^(stages - 1)."""

    def __init__(
        self,
        in_channels: int,
        classes: int,
        stages: _Stages,
        rates: list[list[float]],
        decoder_rates: list[list[float]],
    ) -> None:
        super().__init__()
        embed_dim, last = stages.embed_dim, len(rates) - 1
        self.embed = nn.Sequential(nn.Conv2d(in_channels, embed_dim, _PATCH, stride=_PATCH), _ChannelNorm(embed_dim))
        self.encoder = nn.ModuleList(stages.blocks(stage, rate) for stage, rate in enumerate(rates))
        self.merges = nn.ModuleList(_Merge(stages.channels(stage)) for stage in range(last))
        self.norm = _ChannelNorm(stages.channels(last))
        self.decoder = nn.ModuleList(
            _DecoderStage(stages, last - 1 - index, rate) for index, rate in enumerate(decoder_rates)
        )
        self.decoder_norm = _ChannelNorm(embed_dim)
        self.expand = _Expand(embed_dim, embed_dim, _PATCH)
        self.head = nn.Conv2d(embed_dim, classes, 1, bias=False)
        self.apply(_initialise)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, B×classes×Y×X."""
        features = self.embed(image)
        skips = []
        for blocks, merge in zip(self.encoder, self.merges, strict=False):
            features = blocks(features)
            skips.append(features)
            features = merge(features)
        features = self.norm(self.encoder[-1](features))
        for stage in self.decoder:
            features = stage(features, skips.pop())
        return self.head(self.expand(self.decoder_norm(features)))


def _initialise(module: nn.Module) -> None:
    """Initialise linear layers as in vision transformers: narrow, normally distributed weights and zero biases."""
    if isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.kernel_size == (1, 1)):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
