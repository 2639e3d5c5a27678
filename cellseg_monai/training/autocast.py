"""Mixed precision on any device.

MONAI's engines support `amp` only on CUDA, in fp16, with a loss scaler whose state is missing from their checkpoints.
bfloat16 has the range of float32, so it needs no scaler, and newer CPUs multiply it twice as fast. A wrapper around
the inferer covers training, validation and tiled inference in one place and leaves the engines unchanged. A custom
`iteration_update` would have copied the loop of each engine.
"""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer

__all__ = ["AutocastInferer", "bfloat16_is_native"]


class AutocastInferer(Inferer):
    """An inferer that calls another one with the network in bfloat16 and returns its output as float32.

    Weights, loss and optimiser stay in float32.

    Args:
        inferer: the inferer that calls the network, such as `monai.inferers.SimpleInferer`.
        enabled: if False, the network runs in float32.
    """

    def __init__(self, inferer: Inferer, enabled: bool = True) -> None:
        super().__init__()
        self.inferer = inferer
        self.enabled = enabled

    def __call__(
        self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any
    ) -> torch.Tensor | list[torch.Tensor]:
        """Return the inferer's output as float32: a tensor, or a list of tensors with deep supervision."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            output = self.inferer(inputs, network, *args, **kwargs)
        return output.float() if isinstance(output, torch.Tensor) else [part.float() for part in output]


def bfloat16_is_native(device: torch.device | str) -> bool:
    """Return True if the device multiplies bfloat16 in hardware, so that mixed precision pays off.

    >>> isinstance(bfloat16_is_native("cpu"), bool)
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False
