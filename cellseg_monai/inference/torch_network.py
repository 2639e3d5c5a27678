"""A torch network where arrays come and go."""

from __future__ import annotations

import numpy as np
import torch

from cellseg_monai.inference.tiled import Network
from cellseg_monai.training import bfloat16_is_native

__all__ = ["choose_device", "torch_network"]


def choose_device(name: str = "auto") -> torch.device:
    """The device that a name means; "auto" is CUDA, else Apple's MPS, else the processor.

    Raises:
        ValueError: an unknown name, or a device that is not there.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, is_there in there.items() if is_there)
    kind = name.split(":")[0]
    if kind not in there:
        raise ValueError(f"device {name!r} came, but one of auto, cpu, cuda, cuda:N, mps was expected")
    if not there[kind]:
        found = ", ".join(kind for kind, is_there in there.items() if is_there)
        raise ValueError(f"device {name!r} came, but torch {torch.__version__} finds {found} here; use one of those")
    return torch.device(name)


def torch_network(module: torch.nn.Module, device: torch.device, *, amp: bool | None = None) -> Network:
    """A network of arrays; see `inference.Network`.

    Args:
        module: B×C×Y×X tensors to B×K×Y×X; it is moved to the device and put into evaluation mode.
        device: where it runs.
        amp: bfloat16; None: where the device multiplies it in hardware.
    """
    module = module.to(device, memory_format=torch.channels_last).eval()
    lower = bfloat16_is_native(device) if amp is None else amp

    def answer(batch: np.ndarray) -> np.ndarray:
        with torch.inference_mode(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=lower):
            tensor = torch.from_numpy(batch).to(device, memory_format=torch.channels_last)
            return module(tensor).float().numpy(force=True)

    return answer
