"""Batch normalisation made part of the convolutions before it, for networks that only answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models.resnet import BasicBlock, Bottleneck

__all__ = ["fold_normalisation"]

# Modules of others that run their parts in this order, each on what the one before it gave.
_ORDERS = {
    BasicBlock: (("conv1", "bn1"), ("conv2", "bn2")),
    Bottleneck: (("conv1", "bn1"), ("conv2", "bn2"), ("conv3", "bn3")),
}


def fold_normalisation(network: nn.Module) -> nn.Module:
    """Put a network into evaluation mode, and make it say the same in fewer passes over its features.

    In evaluation, batch normalisation multiplies and adds what does not depend on the image, and so may the convolution
    before it: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", 2018 (doi:10.1109/CVPR.2018.00286), section 3.2. What is said differs by the rounding of its numbers.

    Folded are plain `nn.BatchNorm2d` right after plain `nn.Conv2d` or `nn.ConvTranspose2d` in an `nn.Sequential` and in
    the blocks of torchvision's ResNets; others stay as they are.

    Args:
        network: changed in place: it cannot be trained any more.

    Returns:
        The network, where `nn.Identity` stands for each normalisation that is folded.

    >>> fold_normalisation(nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1), nn.ReLU()))
    Sequential(
      (0): Conv2d(1, 1, kernel_size=(1, 1), stride=(1, 1))
      (1): Identity()
      (2): ReLU()
    )
    """
    network.eval()
    # What is in several places may follow something else in another.
    places = Counter(module for _, module in network.named_modules(remove_duplicate=False))
    for module in list(network.modules()):
        for first, second in list(_steps(module)):
            convolution, normalisation = first.module, second.module
            if _can_be_folded(convolution, normalisation) and places[convolution] == places[normalisation] == 1:
                transposed = isinstance(convolution, nn.ConvTranspose2d)
                setattr(first.parent, first.name, fuse_conv_bn_eval(convolution, normalisation, transpose=transposed))
                setattr(second.parent, second.name, nn.Identity())
    return network


class _Part(NamedTuple):
    """Where a module is held."""

    parent: nn.Module
    name: str

    @property
    def module(self) -> nn.Module:
        return self.parent.get_submodule(self.name)


def _steps(module: nn.Module) -> Iterator[tuple[_Part, _Part]]:
    """Pairs of parts of a module, of which the second is given what the first gave, and nobody else is."""
    for first, second in _ORDERS.get(type(module), ()):
        yield _Part(module, first), _Part(module, second)
    yield from pairwise(_in_turn(module))


def _in_turn(module: nn.Module) -> Iterator[_Part]:
    """The parts that a sequence runs one after another, those of sequences within it among them."""
    if not _is_sequence(module):
        return
    for name, child in module._modules.items():  # `named_children` passes over what comes a second time
        if _is_sequence(child):
            yield from _in_turn(child)
        else:
            yield _Part(module, name)


def _is_sequence(module: nn.Module) -> bool:
    return getattr(type(module), "forward", None) is nn.Sequential.forward and not _has_hooks(module)


def _can_be_folded(convolution: nn.Module, normalisation: nn.Module) -> bool:
    # Subclasses may do more than these; torch folds wrongly what is both transposed and grouped.
    is_plain = type(convolution) is nn.Conv2d or (type(convolution) is nn.ConvTranspose2d and convolution.groups == 1)
    return (
        is_plain
        and type(normalisation) is nn.BatchNorm2d
        and normalisation.running_mean is not None
        and not (convolution.training or normalisation.training)  # as some networks keep them in evaluation, too
        and not _has_hooks(convolution)
        and not _has_hooks(normalisation)
    )


def _has_hooks(module: nn.Module) -> bool:
    """Whether more than the module itself is run, such as `weight_norm`, which makes the weights anew each time."""
    return bool(module._forward_pre_hooks or module._forward_hooks)
