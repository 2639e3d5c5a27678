"""Folding batch normalisation into the preceding convolutions, for faster inference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck

__all__ = ["fold_normalisation"]

# Names of submodules in third-party modules, in pairs where only the second uses the output of the first.
_FOLDABLE_PAIRS = {
    BasicBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
}


def fold_normalisation(network: nn.Module) -> nn.Module:
    """Put a network into evaluation mode and fold its batch normalisation into the convolutions, to make it faster.

    In evaluation mode, batch normalisation is a scale and a shift that do not depend on the image, so the preceding
    convolution can apply them. See B. Jacob et al., "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference", 2018 (doi:10.1109/CVPR.2018.00286), section 3.2. The outputs differ only by
    rounding.

    A plain `nn.BatchNorm2d` is folded if it directly follows a plain `nn.Conv2d` or `nn.ConvTranspose2d` in an
    `nn.Sequential` or in a torchvision ResNet block. All other normalisation layers are left unchanged.

    Args:
        network: network to change in place. It cannot be trained afterwards.

    Returns:
        The same network, with `nn.Identity` in place of each folded layer.

    >>> fold_normalisation(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU()))
    Sequential(
      (0): Conv2d(1, 1, kernel_size=(1, 1), stride=(1, 1))
      (1): Identity()
      (2): ReLU()
    )
    """
    network.eval()
    # A module that is used in several places can follow a different module in each place, so it cannot be folded.
    uses = Counter(module for _, module in network.named_modules(remove_duplicate=False))
    for module in list(network.modules()):
        for first, second in list(_consecutive_slots(module)):
            convolution, normalisation = first.module, second.module
            if _can_be_folded(convolution, normalisation) and uses[convolution] == uses[normalisation] == 1:
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                setattr(first.parent, first.name, fuse_conv_bn_eval(convolution, normalisation, transpose=transposed))
                setattr(second.parent, second.name, nn.Identity())
    return network


class _Slot(NamedTuple):
    """The place of a module in the network: its parent, and the name of the parent's attribute."""

    parent: nn.Module
    name: str

    @property
    def module(self) -> nn.Module:
        return self.parent.get_submodule(self.name)


def _consecutive_slots(module: nn.Module) -> Iterator[tuple[_Slot, _Slot]]:
    """Yield pairs of submodules in which only the second uses the output of the first."""
    for first, second in _FOLDABLE_PAIRS.get(type(module), ()):
        yield _Slot(module, first), _Slot(module, second)
    yield from pairwise(_run_order(module))


def _run_order(module: nn.Module) -> Iterator[_Slot]:
    """Yield the submodules of an `nn.Sequential` in the order in which they run, with nested sequences flattened."""
    if not _is_sequence(module):
        return
    for name, child in module._modules.items():  # `named_children` skips repeated modules
        if _is_sequence(child):
            yield from _run_order(child)
        else:
            yield _Slot(module, name)


def _is_sequence(module: nn.Module) -> bool:
    return getattr(type(module), "forward", None) is nn.Sequential.forward and not _has_hooks(module)


def _can_be_folded(convolution: nn.Module, normalisation: nn.Module) -> bool:
    # Subclasses can behave differently, and torch folds grouped transposed convolutions incorrectly.
    is_plain = type(convolution) is nn.Conv2d or (type(convolution) is nn.ConvTranspose2d and convolution.groups == 1)
    return (
        is_plain
        and type(normalisation) is nn.BatchNorm2d
        and normalisation.running_mean is not None
        and not (convolution.training or normalisation.training)  # some networks keep layers in training mode
        and not _has_hooks(convolution)
        and not _has_hooks(normalisation)
    )


def _has_hooks(module: nn.Module) -> bool:
    """Return True if the module has hooks, such as that of `weight_norm`, which recomputes the weights each time."""
    return bool(module._forward_pre_hooks or module._forward_hooks)
