"""What the layers of a model are given, as matrices: the data that a compressed layer is fitted to and judged on.

    model(x) ──a hook on each layer──> its input, a row for each product with its weights      x of (rows, features)

A linear layer multiplies each row of its input with its weights. A convolution does so with each window of its image,
so that a row is a window, in the order of ``weight.flatten(1)``: channel, row, column. Then one formula serves both:
the layer computes ``rows @ weight.flatten(1).T``, plus its bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

__all__ = ["layer_inputs"]


def layer_inputs(model: nn.Module, layers: Iterable[str], *args: Any) -> dict[str, Tensor]:
    """Run ``model(*args)`` once without gradients, and return what each of ``layers`` was given.

    Parameters
    ----------
    model
        In the mode in which it is to run.
    layers
        Paths of `nn.Linear` and `nn.Conv2d` modules, such as ``"blocks.0.mlp.2"``.

    Returns
    -------
    dict of Tensor
        By path, shape (rows, features), features being ``weight.flatten(1).shape[1]``. A layer that runs several times
        has the rows of all its runs.

    Raises
    ------
    ValueError
        If a path names no layer of these kinds, a convolution has groups or a padding that is not a number of zeros, or
        a layer did not run.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten(), nn.Linear(144, 10))
    >>> {path: tuple(x.shape) for path, x in layer_inputs(model, ["0", "2"], torch.ones(5, 1, 8, 8)).items()}
    {'0': (180, 9), '2': (5, 144)}
    """
    modules = dict(model.named_modules())
    rows: dict[str, list[Tensor]] = {path: [] for path in layers}
    hooks: list[RemovableHandle] = []
    try:
        for path, kept in rows.items():
            layer = modules.get(path)
            if not isinstance(layer, (nn.Linear, nn.Conv2d)) or getattr(layer, "groups", 1) != 1:
                known = [name for name, one in modules.items() if isinstance(one, (nn.Linear, nn.Conv2d))]
                raise ValueError(f"{path!r} is no linear layer or convolution without groups; try {', '.join(known)}.")
            hooks.append(layer.register_forward_pre_hook(_keeper(layer, kept)))
        with torch.no_grad():
            model(*args)
    finally:
        for hook in hooks:
            hook.remove()
    idle = [path for path, kept in rows.items() if not kept]
    if idle:
        raise ValueError(f"{idle[0]!r} did not run: nothing is known of its inputs.")
    return {path: torch.cat(kept) for path, kept in rows.items()}


def _keeper(layer: nn.Linear | nn.Conv2d, kept: list[Tensor]) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
    return lambda _, given: kept.append(_rows(layer, given[0]))


def _rows(layer: nn.Linear | nn.Conv2d, x: Tensor) -> Tensor:
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, x.shape[-1])
    if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
        raise ValueError(f"A convolution's padding must be a number of zeros, not that of {layer}.")
    windows = nn.functional.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)
    return windows.transpose(1, 2).flatten(0, 1)
