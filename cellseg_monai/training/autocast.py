"""Mixed precision on any device.

MONAI's engines support `amp` only on CUDA and in fp16, and their checkpoints omit the state of the loss scaler.
bfloat16 has the range of float32, so it needs no scaler, and recent CPUs multiply it twice as fast as float32.
Wrapping the inferer covers training, validation and tiled inference in one place and leaves the engines unchanged.
A custom `iteration_update` would have to duplicate each engine's loop.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from monai.inferers import Inferer
from torch.nn import functional

from cellseg_monai.networks.bfloat16_speed import TOLERATED_SLOWDOWN, time_ratio

__all__ = ["AutocastInferer", "bfloat16_is_native"]


class AutocastInferer(Inferer):
    """A wrapper that makes an inferer run its network in bfloat16 and return float32 output.

    The weights, the loss and the optimiser state stay in float32.

    Args:
        inferer: the inferer to wrap, such as `monai.inferers.SimpleInferer`.
        enabled: True to use bfloat16, False to run the network in float32.
    """

    def __init__(self, inferer: Inferer, enabled: bool = True) -> None:
        super().__init__()
        self.inferer = inferer
        self.enabled = enabled

    def __call__(
        self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any
    ) -> torch.Tensor | list[torch.Tensor] | dict[str, torch.Tensor]:
        """Return the wrapped inferer's output as float32: one tensor, or several in a list or by name."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            output = self.inferer(inputs, network, *args, **kwargs)
        if isinstance(output, torch.Tensor):
            return output.float()
        if isinstance(output, dict):
            return {name: part.float() for name, part in output.items()}
        return [part.float() for part in output]


def bfloat16_is_native(device: torch.device | str) -> bool:
    """Return True if the device multiplies bfloat16 in hardware, which makes mixed precision worthwhile.

    A processor can name the instructions without PyTorch using them, as with `ONEDNN_MAX_CPU_ISA`. Its speed is
    therefore measured once in each process. This takes a few hundredths of a second.

    >>> isinstance(bfloat16_is_native("cpu"), bool)
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        has_instructions = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
        return has_instructions and not _processor_slowdown() > TOLERATED_SLOWDOWN
    return False


@cache
def _processor_slowdown() -> float:
    """Return the time of a convolution in bfloat16 as a multiple of that in float32."""
    image, weight = torch.ones(1, 64, 64, 64), torch.ones(64, 64, 3, 3)
    image = image.contiguous(memory_format=torch.channels_last)

    def convolve(dtype: torch.dtype) -> torch.Tensor:
        return functional.conv2d(image.to(dtype), weight.to(dtype), padding=1)

    with torch.inference_mode():
        return time_ratio(lambda: convolve(torch.bfloat16), lambda: convolve(torch.float32), torch.device("cpu"))
