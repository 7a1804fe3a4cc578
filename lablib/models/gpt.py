"""A language model over characters.

    tokens ──embedding + place──> 4 causal blocks ──norm──embeddingᵀ──> a logit for each character that may come next

A pass over T tokens does 2 FLOPs for each weight and token: a prompt reuses every weight T times, a step that adds one
token uses it once. With a cache of keys and values that step computes one row instead of T + 1; the cache grows by
2 · depth · width numbers a token.

Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3; the embedding shared
with the last layer as in Press and Wolf, "Using the Output Embedding to Improve Language Models", arXiv:1608.05859.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from lablib.models.transformer import Block, Cache

if TYPE_CHECKING:
    from jaxtyping import Float, Int

__all__ = ["GPT", "generate"]


class GPT(nn.Module):
    """Tokens to logits.

    Parameters
    ----------
    vocabulary
        Number of different tokens; the default is that of `lablib.data.austen`.
    context
        The most tokens that the model can look at.

    Examples
    --------
    >>> model = GPT()
    >>> model(torch.zeros(2, 10, dtype=torch.int64)).shape
    torch.Size([2, 10, 72])
    >>> sum(p.numel() for p in model.parameters())
    818944
    """

    def __init__(
        self, vocabulary: int = 72, context: int = 128, width: int = 128, depth: int = 4, heads: int = 4,
        dropout: float = 0.0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.context = context
        self.embedding = nn.Embedding(vocabulary, width)
        self.places = nn.Parameter(0.02 * torch.randn(context, width))
        self.blocks = nn.ModuleList(Block(width, heads, causal=True, dropout=dropout) for _ in range(depth))
        self.norm = nn.LayerNorm(width)
        # Small enough that the first logits, products with these same numbers, say nothing yet.
        nn.init.normal_(self.embedding.weight, std=0.02)

    def cache(self) -> list[Cache]:
        """An empty cache: one for each block."""
        return [Cache() for _ in self.blocks]

    def forward(self, tokens: Int[Tensor, "B T"], cache: list[Cache] | None = None) -> Float[Tensor, "B T vocabulary"]:
        """Logits for the token after each of ``tokens``, which follow those that ``cache`` holds and are added to it.

        Raises
        ------
        ValueError
            If there are more tokens than the context has places.
        """
        start = cache[0].length if cache else 0
        end = start + tokens.shape[1]
        if end > self.context:
            raise ValueError(f"The model has {self.context} places, but token {end} was asked for: shorten the prompt.")
        x = self.embedding(tokens) + self.places[start:end]
        for number, block in enumerate(self.blocks):
            x = block(x, cache[number] if cache else None)
        return nn.functional.linear(self.norm(x), self.embedding.weight)


@torch.no_grad()
def generate(
    model: GPT, tokens: Int[Tensor, "B T"], count: int, temperature: float = 1.0,
    generator: torch.Generator | None = None,
) -> Int[Tensor, "B T_all"]:  # fmt: skip
    """Append ``count`` tokens, each drawn from softmax(logits / temperature), or the likeliest at temperature 0.

    Parameters
    ----------
    tokens
        The prompt, int64, shape (B, T); T + count - 1 may not pass the model's context.
    generator
        Draws the tokens, on the model's device.

    Returns
    -------
    Tensor
        Prompt and continuation, int64, shape (B, T + count).

    Examples
    --------
    >>> generate(GPT(), torch.zeros(1, 3, dtype=torch.int64), count=5).shape
    torch.Size([1, 8])
    """
    cache, new = model.cache(), tokens
    for _ in range(count):
        logits = model(new, cache)[:, -1]
        if temperature == 0:
            new = logits.argmax(dim=-1, keepdim=True)
        else:
            new = torch.multinomial(torch.softmax(logits / temperature, dim=-1), 1, generator=generator)
        tokens = torch.cat([tokens, new], dim=1)
    return tokens
