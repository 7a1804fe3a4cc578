"""How good a model is, on data that it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["accuracy", "bits_per_character", "frechet_distance"]


def accuracy(model: nn.Module, x: Tensor, y: Tensor, batch: int = 500) -> float:
    """Share of inputs whose largest logit is that of their class.

    Examples
    --------
    >>> accuracy(nn.Identity(), torch.eye(4), torch.tensor([0, 1, 2, 0]))
    0.75
    """
    with _evaluating(model):
        right = [(model(part).argmax(dim=1) == classes).sum() for part, classes in _batches(batch, x, y)]
    return float(torch.stack(right).sum()) / len(y)


def bits_per_character(model: nn.Module, tokens: Tensor, context: int = 128, batch: int = 64) -> float:
    """What a language model needs to tell the next token, in bits: its mean cross entropy.

    A window moves on by half a context, and its second half is predicted: each token once, from more than half a
    context of others. Not counted are the first ``context // 2 + 1`` tokens, and the last ones that fill no further
    window, fewer than ``context // 2``: of 1000 tokens at a context of 128, the first 65 and the last 39.

    Parameters
    ----------
    tokens
        int64, shape (tokens,).
    context
        Tokens that the model sees at most; an even number.
    batch
        Windows at a time.

    Returns
    -------
    float
        Bits a token.

    Raises
    ------
    ValueError
        If the context is odd, or there are fewer tokens than a window and the one after it.
    """
    if context < 2 or context % 2:
        raise ValueError(f"bits_per_character needs an even context of at least 2 tokens; got {context}.")
    if len(tokens) <= context:
        raise ValueError(
            f"bits_per_character needs more than {context} tokens, a window of context; got {len(tokens)}."
        )
    half = context // 2
    windows = tokens.unfold(0, context + 1, half)
    nats = torch.zeros((), dtype=torch.float64, device=tokens.device)
    with _evaluating(model):
        for (part,) in _batches(batch, windows):
            logits = model(part[:, :-1])[:, half:]
            target = part[:, half + 1 :]
            nats += nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), reduction="sum").double()
    return float(nats) / (windows.shape[0] * (context - half)) / math.log(2)


def frechet_distance(one: Tensor, other: Tensor) -> float:
    """Distance of two clouds of features, each taken for a normal distribution: 0 where mean and covariance agree.

    Parameters
    ----------
    one, other
        Features, shapes (M, F) and (N, F), M and N above 1.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", arXiv:1706.08500, equation 6.

    Examples
    --------
    >>> cloud = torch.tensor([[0.0], [2.0]])
    >>> round(frechet_distance(cloud, cloud + 3), 6)
    9.0
    """
    one, other = one.double(), other.double()
    a, b = torch.cov(one.T).reshape(one.shape[1], -1), torch.cov(other.T).reshape(one.shape[1], -1)
    # tr √(AB) = tr √(√A·B·√A), which is symmetric: real eigenvalues, none below zero but for rounding.
    values, vectors = torch.linalg.eigh(a)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    shared = torch.linalg.eigvalsh(root @ b @ root).clamp(min=0).sqrt().sum()
    apart = (one.mean(dim=0) - other.mean(dim=0)).square().sum()
    return float(apart + a.trace() + b.trace() - 2 * shared)


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Without gradients and dropout; afterwards the model is in the mode in which it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _batches(size: int, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    return zip(*(tensor.split(size) for tensor in tensors), strict=True)
