"""Heads half-way up a trained Transformer, so that an easy input need not climb to the top.

    tokens ──block──┬──block──┬──block──┬──block──head──> logits
                    └head 0   └head 1   └head 2

The blocks stay as they were trained; only the heads learn, on what each block hands on. A head is a norm and a linear
layer: 0.02% of the FLOPs of a ViT's block, which sees all tokens where a head sees their mean.

Source: Teerapittayanon, McDanel and Kung, "BranchyNet: Fast Inference via Early Exiting from Deep Neural Networks",
arXiv:1709.01686, section III; heads on a frozen network as in Kaya, Hong and Dumitras, "Shallow-Deep Networks",
arXiv:1810.07052, section 4.2.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lablib.models.gpt import GPT
from lablib.models.vit import ViT

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["Exits", "embed", "exit_functions", "states"]


class Exits(nn.Module):
    """One head for each block but the last.

    Parameters
    ----------
    width
        Features of a token.
    classes
        Logits of a head.
    count
        Number of heads.

    Examples
    --------
    >>> heads = Exits(width=64, classes=10)
    >>> heads(1, torch.zeros(5, 64)).shape
    torch.Size([5, 10])
    """

    def __init__(self, width: int, classes: int, count: int = 3) -> None:
        super().__init__()
        self.heads = nn.ModuleList(nn.Sequential(nn.LayerNorm(width), nn.Linear(width, classes)) for _ in range(count))

    def forward(self, exit: int, x: Float[Tensor, "... width"]) -> Float[Tensor, "... classes"]:
        """Logits of head ``exit``, counted from 0, for the states after block ``exit``."""
        return self.heads[exit](x)


def embed(model: ViT | GPT, x: Float[Tensor, "B C H W"] | Int[Tensor, "B T"]) -> Float[Tensor, "B T width"]:
    """What the first block of a ViT or a GPT is given: images or tokens as vectors, with their places."""
    if isinstance(model, ViT):
        return model.tokens(x)
    return model.embedding(x) + model.places[: x.shape[1]]


@torch.no_grad()
def states(model: ViT | GPT, x: Float[Tensor, "B C H W"] | Int[Tensor, "B T"]) -> list[Float[Tensor, "B T width"]]:
    """What each block hands on, from the first to the last; without gradients.

    Examples
    --------
    >>> [tuple(state.shape) for state in states(ViT(depth=2), torch.zeros(3, 1, 28, 28))]
    [(3, 49, 64), (3, 49, 64)]
    """
    found, state = [], embed(model, x)
    for block in model.blocks:
        state = block(state)
        found.append(state)
    return found


def exit_functions(model: ViT | GPT, heads: Exits) -> list[Callable[[Tensor], Tensor]]:
    """For each block a function from its states to logits: the heads, then the model's own last layers.

    Returns
    -------
    list of functions
        Each takes states (B, T, width). Of a ViT it returns (B, classes), of a GPT (B, T, vocabulary).

    Examples
    --------
    >>> functions = exit_functions(ViT(), Exits(width=64, classes=10))
    >>> [tuple(function(torch.zeros(2, 49, 64)).shape) for function in functions]
    [(2, 10), (2, 10), (2, 10), (2, 10)]
    """
    if isinstance(model, ViT):
        early = [lambda x, exit=exit: heads(exit, x.mean(dim=1)) for exit in range(len(heads.heads))]
        return [*early, lambda x: model.head(model.norm(x).mean(dim=1))]
    early = [lambda x, exit=exit: heads(exit, x) for exit in range(len(heads.heads))]
    return [*early, lambda x: nn.functional.linear(model.norm(x), model.embedding.weight)]
