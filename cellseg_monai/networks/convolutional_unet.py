"""A U-Net without a pretrained encoder, with residual and attention variants."""

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
    """Build a U-Net that accepts images of any size.

    The architecture is from Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015
    (doi:10.1007/978-3-319-24574-4_28), with padded convolutions. The residual and attention variants are from
    Ghaznavi et al., "Cell segmentation from telecentric bright-field transmitted light microscopy images using a
    Residual Attention U-Net: a case study on HeLa line", 2022 (doi:10.1016/j.compbiomed.2022.105805).

    Args:
        in_channels: number of image channels.
        classes: number of output channels. The network returns logits, B×classes×Y×X.
        channels: number of channels at each level. The first level has the resolution of the image, and every further
            level halves it.
        norm: True to apply batch normalisation after each convolution in the blocks and gates.
        skips: `"concat"` to concatenate the encoder features with the decoder features, or `"add"` to add them.
        upsampling: `"interpolate"` for nearest-neighbour interpolation, or `"transposed"` for a transposed 2×2
            convolution that also maps the features to the number of channels of the level above.
        activation: `"leaky_relu"` or `"relu"`.
        dropout: fraction of the values to drop after each block, 0 to 1.
        residual: True to add a 1×1 convolution of each block's input to its output.
        attention: True to put an attention gate on each skip connection; see `attention_maps`.

    Raises:
        BundleError: `skips`, `upsampling` or `activation` has an unknown value, or there are fewer than two levels.

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
            raise BundleError(f"got {name}={value!r}, expected one of {', '.join(choices)}; choose one")
    if len(channels) < 2:
        raise BundleError(f"got channels={list(channels)}, expected at least two levels; pass two or more numbers")
    options = _BlockOptions(norm=norm, activation=_ACTIVATIONS[activation], dropout=dropout, residual=residual)
    network = _UNet(
        options,
        in_channels=in_channels,
        classes=classes,
        channels=channels,
        adds=skips == "add",
        transposed=upsampling == "transposed",
        attention=attention,
    )
    return Padded(network, multiple=2 ** (len(channels) - 1), in_channels=in_channels)


class _BlockOptions:
    """The options shared by all blocks in a network."""

    def __init__(self, *, norm: bool, activation: type[nn.Module], dropout: float, residual: bool) -> None:
        self.norm, self.activation, self.dropout, self.residual = norm, activation, dropout, residual

    def convolution(self, in_channels: int, out_channels: int, kernel_size: int) -> nn.Sequential:
        """Return a convolution, followed by batch normalisation if `norm` is set.

        The convolution always has a bias, so that the parameter counts match the references.
        """
        convolution = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        # As in Ronneberger et al. With other initial weights, a deep network without normalisation does not train.
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        return nn.Sequential(convolution, nn.BatchNorm2d(out_channels) if self.norm else nn.Identity())


class _Block(nn.Module):
    """Two 3×3 convolutions at one resolution."""

    def __init__(self, options: _BlockOptions, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            options.convolution(in_channels, out_channels, 3),
            options.activation(),
            options.convolution(out_channels, out_channels, 3),
        )
        self.shortcut = options.convolution(in_channels, out_channels, 1) if options.residual else None
        self.activation = options.activation()
        self.dropout = nn.Dropout(options.dropout)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        result = self.body(features)
        if self.shortcut is not None:
            result = result + self.shortcut(features)
        return self.dropout(self.activation(result))


class _DecoderLevel(nn.Module):
    """A decoder level, which joins the features from the level below with the skip connection."""

    def __init__(
        self, options: _BlockOptions, below: int, channels: int, *, adds: bool, transposed: bool, attention: bool
    ) -> None:
        super().__init__()
        self.adds = adds
        upsampled = channels if adds or transposed else below
        if transposed:
            self.upsample: nn.Module = nn.ConvTranspose2d(below, channels, 2, stride=2)
        else:
            # Nearest-neighbour, as in the references. Bilinear gradients are not reproducible on a GPU.
            upsample = nn.Upsample(scale_factor=2, mode="nearest")
            self.upsample = nn.Sequential(upsample, nn.Conv2d(below, channels, 1)) if adds else upsample
        self.gate = (
            AttentionGate(channels, below, norm=options.norm, activation=options.activation) if attention else None
        )
        self.block = _Block(options, channels if adds else channels + upsampled, channels)

    def forward(self, features: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        if self.gate is not None:
            skip = self.gate(skip, features)
        features = self.upsample(features)
        joined = skip + features if self.adds else torch.cat([skip, features], 1)
        return self.block(joined)


class _UNet(nn.Module):
    """The U-Net itself, which needs images whose Y and X are multiples of 2^(levels - 1)."""

    def __init__(
        self,
        options: _BlockOptions,
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
            _Block(options, above, here) for above, here in zip([in_channels, *channels], channels, strict=False)
        )
        self.decoder = nn.ModuleList(
            _DecoderLevel(options, below, here, adds=adds, transposed=transposed, attention=attention)
            for below, here in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        # Unlike Ghaznavi et al., there is no batch normalisation here. It would centre the logits of each batch, no
        # matter how much of the batch is covered by cells.
        self.head = nn.Conv2d(channels[0], classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Return the logits, B×classes×Y×X."""
        features = image
        skips: list[torch.Tensor] = []
        for index, block in enumerate(self.encoder):
            if index > 0:
                features = F.max_pool2d(features, 2)
            features = block(features)
            skips.append(features)
        for index, level in enumerate(self.decoder):
            features = level(features, skips[-2 - index])
        return self.head(features)
