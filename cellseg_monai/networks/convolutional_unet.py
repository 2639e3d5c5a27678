"""The U-Net without a pretrained encoder, with its residual and attention variants."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import nn

from cellseg_monai.errors import BundleError
from cellseg_monai.networks.attention_gate import AttentionGate
from cellseg_monai.networks.definition import recorded
from cellseg_monai.networks.padding import Padded

__all__ = ["unet"]

_ACTIVATIONS: dict[str, type[nn.Module]] = {"leaky_relu": nn.LeakyReLU, "relu": nn.ReLU}


@recorded
def unet(
    *,
    in_channels: int = 1,
    classes: int = 1,
    channels: Sequence[int] = (64, 128, 256, 512, 1024),
    norm: bool = True,
    skips: str = "concat",
    upsampling: str = "interpolate",
    activation: str = "leaky_relu",
    dropout: float = 0.0,
    residual: bool = False,
    attention: bool = False,
) -> nn.Module:
    """A U-Net for images of any size.

    Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015
    (doi:10.1007/978-3-319-24574-4_28), with padded convolutions. Its residual and attention variants are those of
    Ghaznavi et al., "Cell segmentation from telecentric bright-field transmitted light microscopy images using a
    Residual Attention U-Net: a case study on HeLa line", 2022 (doi:10.1016/j.compbiomed.2022.105805).

    Args:
        in_channels: channels of the image.
        classes: channels of the output, logits B×classes×Y×X.
        channels: of the levels, from the image's resolution down; each further level halves it.
        norm: batch normalisation after each convolution of the blocks and gates.
        skips: how the encoder's features join the decoder's: `"concat"` or `"add"`.
        upsampling: `"interpolate"` (to the nearest) or `"transposed"` (a 2×2 convolution that also brings the
            features to the channels of the level above).
        activation: `"leaky_relu"` or `"relu"`.
        dropout: share of the values dropped after each block, 0 to 1.
        residual: each block adds a 1×1 convolution of what it was given.
        attention: a gate on each skip connection; see `attention_maps`.

    Raises:
        BundleError: an argument is none of those.

    >>> network = unet(classes=2, channels=(4, 8)).eval()
    >>> network(torch.zeros(1, 1, 5, 3)).shape
    torch.Size([1, 2, 5, 3])
    """
    for name, value, choices in (
        ("skips", skips, ("concat", "add")),
        ("upsampling", upsampling, ("interpolate", "transposed")),
        ("activation", activation, tuple(_ACTIVATIONS)),
    ):
        if value not in choices:
            raise BundleError(f"{name} is {value!r}; give one of {', '.join(choices)}")
    if len(channels) < 2:
        raise BundleError(f"channels is {list(channels)}; a U-Net has at least two levels: give two numbers or more")
    blocks = _Blocks(norm=norm, activation=_ACTIVATIONS[activation], dropout=dropout, residual=residual)
    network = _UNet(
        blocks,
        in_channels=in_channels,
        classes=classes,
        channels=channels,
        adds=skips == "add",
        transposed=upsampling == "transposed",
        attention=attention,
    )
    return Padded(network, multiple=2 ** (len(channels) - 1), in_channels=in_channels)


class _Blocks:
    """What all blocks of one network have in common."""

    def __init__(self, *, norm: bool, activation: type[nn.Module], dropout: float, residual: bool) -> None:
        self.norm, self.activation, self.dropout, self.residual = norm, activation, dropout, residual

    def convolution(self, in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
        """Convolution and normalisation; the convolution keeps its bias, as in the references' counts."""
        convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        # As Ronneberger et al. do it: without normalisation, a deep network does not learn from another start.
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        return nn.Sequential(convolution, nn.BatchNorm2d(out_channels) if self.norm else nn.Identity())


class _Block(nn.Module):
    """Two 3×3 convolutions at one resolution."""

    def __init__(self, blocks: _Blocks, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            blocks.convolution(in_channels, out_channels, 3),
            blocks.activation(),
            blocks.convolution(out_channels, out_channels, 3),
        )
        self.shortcut = blocks.convolution(in_channels, out_channels, 1) if blocks.residual else None
        self.activation = blocks.activation()
        self.dropout = nn.Dropout(blocks.dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        result = self.body(features)
        if self.shortcut is not None:
            result = result + self.shortcut(features)
        return self.dropout(self.activation(result))


class _Rise(nn.Module):
    """One level of the decoder: the features of the level below and the skip connection of this one."""

    def __init__(
        self, blocks: _Blocks, below: int, channels: int, *, adds: bool, transposed: bool, attention: bool
    ) -> None:
        super().__init__()
        self.adds = adds
        raised = channels if adds or transposed else below
        if transposed:
            self.upsample: nn.Module = nn.ConvTranspose2d(below, channels, 2, stride=2)
        else:
            # To the nearest, as in the references: on a GPU, the gradient of the bilinear one differs between runs.
            upsample = nn.Upsample(scale_factor=2, mode="nearest")
            self.upsample = nn.Sequential(upsample, nn.Conv2d(below, channels, 1)) if adds else upsample
        self.gate = (
            AttentionGate(channels, below, norm=blocks.norm, activation=blocks.activation) if attention else None
        )
        self.block = _Block(blocks, channels if adds else channels + raised, channels)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        if self.gate is not None:
            skip = self.gate(skip, features)
        features = self.upsample(features)
        joined = skip + features if self.adds else torch.cat([skip, features], 1)
        return self.block(joined)


class _UNet(nn.Module):
    """The network; Y and X are multiples of 2^(levels - 1)."""

    def __init__(
        self,
        blocks: _Blocks,
        *,
        in_channels: int,
        classes: int,
        channels: Sequence[int],
        adds: bool,
        transposed: bool,
        attention: bool,
    ) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(
            _Block(blocks, above, here) for above, here in zip([in_channels, *channels], channels, strict=False)
        )
        self.decoder = nn.ModuleList(
            _Rise(blocks, below, here, adds=adds, transposed=transposed, attention=attention)
            for below, here in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        # Without the batch normalisation that Ghaznavi et al. put here: it would centre the logits of each batch,
        # however much of it is cells.
        self.head = nn.Conv2d(channels[0], classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Logits B×classes×Y×X."""
        features = image
        skips: list[torch.Tensor] = []
        for index, block in enumerate(self.encoder):
            if index > 0:
                features = F.max_pool2d(features, 2)
            features = block(features)
            skips.append(features)
        for index, rise in enumerate(self.decoder):
            features = rise(features, skips[-2 - index])
        return self.head(features)
