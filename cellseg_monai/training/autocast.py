"""Mixed precision on any device.

MONAI's engines know `amp` on CUDA alone, in fp16 with a loss scaler whose state its checkpoints leave out.
bfloat16 has the range of float32, so it needs no scaler, and newer CPUs multiply it twice as fast. Wrapped around
the inferer it serves trainer, evaluator and sliding window in one place, and the engines stay MONAI's own.
"""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer

__all__ = ["AutocastInferer", "bfloat16_is_native"]


class AutocastInferer(Inferer):
    """Runs another inferer with the network in bfloat16, and hands its output on as float32.

    Weights, loss and optimiser stay in float32. Networks with deep supervision answer a list while they train.

    Args:
        inferer: what calls the network, such as `monai.inferers.SimpleInferer`.
        enabled: False leaves everything in float32.
    """

    def __init__(self, inferer: Inferer, enabled: bool = True) -> None:
        super().__init__()
        self.inferer = inferer
        self.enabled = enabled

    def __call__(
        self, inputs: torch.Tensor, network: Any, *args: Any, **kwargs: Any
    ) -> torch.Tensor | list[torch.Tensor]:
        """The inferer's output as float32: a tensor, or a list of them where the network gives one."""
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            output = self.inferer(inputs, network, *args, **kwargs)
        return output.float() if isinstance(output, torch.Tensor) else [part.float() for part in output]


def bfloat16_is_native(device: torch.device | str) -> bool:
    """True where the device multiplies bfloat16 in hardware, so that mixed precision pays.

    >>> isinstance(bfloat16_is_native("cpu"), bool)
    True
    """
    device = torch.device(device)
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        return torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return False
