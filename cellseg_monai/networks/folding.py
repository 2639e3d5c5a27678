"""Batch normalisation made part of the convolutions before it, for networks that only answer."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

__all__ = ["fold_normalisation"]

# Subclasses may do more than these.
_CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)
_Convolution: TypeAlias = nn.Conv2d | nn.ConvTranspose2d
_SIDE_PX = 64
_ROUNDING = 0.01  # as a part of the largest value, at most; what is wrongly folded differs by all of it


def fold_normalisation(network: nn.Module, in_channels: int) -> nn.Module:
    """A network in evaluation mode that says the same with fewer passes over what it works on.

    In evaluation, batch normalisation multiplies and adds what does not depend on the image, and so may the convolution
    before it: B. Jacob et al., "Quantization and training of neural networks for efficient integer-arithmetic-only
    inference", 2018 (doi:10.1109/CVPR.2018.00286), section 3.2. What is said differs by the rounding of its numbers.

    Where which follows which is taken from what the network does with an image, whatever its code looks like: folded is
    what sees all that one convolution says, if nothing else sees it.

    Args:
        network: B×C×Y×X to a tensor, or a list, tuple or mapping of them; it stays as it is.
        in_channels: C.

    Returns:
        A copy, where `nn.Identity` stands for each normalisation that is folded: none, where noise shows that the
        network would then say something else.

    >>> network = nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1))
    >>> fold_normalisation(network, in_channels=1)
    Sequential(
      (0): Conv2d(1, 1, kernel_size=(1, 1), stride=(1, 1))
      (1): Identity()
    )
    """
    parameter = next(network.parameters(), None)
    with torch.inference_mode(False), torch.enable_grad():
        folded = copy.deepcopy(network).eval()
        if parameter is None:
            return folded
        noise = torch.rand(1, in_channels, _SIDE_PX, _SIDE_PX, generator=torch.Generator().manual_seed(0))
        image = noise.to(parameter.device, parameter.dtype).requires_grad_()
        pairs, expected = _pairs(folded, image)
    instead: dict[nn.Module, nn.Module] = {}
    for convolution, normalisation in pairs:
        instead[convolution] = fuse_conv_bn_eval(convolution, normalisation, transpose=convolution.transposed)
        instead[normalisation] = nn.Identity()
    for parent in list(folded.modules()):
        for name, child in list(parent._modules.items()):  # `named_children` passes over second names
            if child in instead:
                setattr(parent, name, instead[child])
    with torch.no_grad():
        # What autograd takes no note of, such as a comparison, may have seen what the convolution said, too.
        return folded if _alike(folded(image), expected) else copy.deepcopy(network).eval()


def _pairs(network: nn.Module, image: torch.Tensor) -> tuple[list[tuple[_Convolution, nn.BatchNorm2d]], Any]:
    """Convolutions, and the normalisation that alone sees what each of them says; and what the network says."""
    said: dict[Any, _Convolution] = {}  # by what autograd notes of it, and so below
    seen: dict[nn.BatchNorm2d, Any] = {}
    calls: Counter[nn.Module] = Counter()

    def note_said(module: _Convolution, _: Any, answer: torch.Tensor) -> None:
        calls[module] += 1
        said[answer.grad_fn] = module

    def note_seen(module: nn.BatchNorm2d, given: tuple[torch.Tensor, ...]) -> None:
        calls[module] += 1
        seen[module] = given[0].grad_fn

    hooks = []
    for module in network.modules():
        # Hooks of others may change the weights with each call, as those of `weight_norm` do.
        if module._forward_pre_hooks or module._forward_hooks:
            continue
        if type(module) in _CONVOLUTIONS and not (module.transposed and module.groups > 1):  # torch folds those wrongly
            hooks.append(module.register_forward_hook(note_said))
        elif type(module) is nn.BatchNorm2d and module.running_mean is not None:
            hooks.append(module.register_forward_pre_hook(note_seen))
    answer = network(image)
    for hook in hooks:
        hook.remove()
    uses = _uses(answer)
    pairs = [
        (said[node], module)
        for module, node in seen.items()
        if node is not None and node in said and calls[said[node]] == calls[module] == uses[node] == 1
    ]
    return pairs, answer


def _alike(answer: Any, expected: Any) -> bool:
    return all(
        torch.allclose(one, other, rtol=0, atol=_ROUNDING * float(other.abs().max()))
        for one, other in zip(_tensors(answer), _tensors(expected), strict=True)
    )


def _uses(answer: Any) -> Counter[Any]:
    """How often what each step of a computation gave was used by another, or given back."""
    uses = Counter(tensor.grad_fn for tensor in _tensors(answer) if tensor.grad_fn is not None)
    waiting = list(uses)
    while waiting:
        for before, _ in waiting.pop().next_functions:
            if before is None:
                continue
            if before not in uses:
                waiting.append(before)
            uses[before] += 1
    return uses


def _tensors(answer: Any) -> Iterator[torch.Tensor]:
    if isinstance(answer, torch.Tensor):
        yield answer
    else:
        for part in answer.values() if isinstance(answer, Mapping) else answer:
            yield from _tensors(part)
