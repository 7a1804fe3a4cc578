"""A real GPT behind the scheduler of `lablib.cloud.requests`: keys and values of all sequences in one pool of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lablib.cloud.requests import Request, Schedule, Served, serve

if TYPE_CHECKING:
    from jaxtyping import Float, Int

    from lablib.models.gpt import GPT

__all__ = ["Attend", "complete"]

Attend = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]
"""``attend(q, k, v, keys, values, tables, lengths)``: q, k, v (B, heads, d) of one new token a sequence; ``keys`` and
``values`` (pages, page, heads, d), to which k and v are added; ``tables`` int64 (B, most pages), -1 where none is;
``lengths`` int64 (B,), tokens that are in the pages already. It returns (B, heads, d)."""


@torch.no_grad()
def complete(
    gpt: GPT, prompts: Sequence[Int[Tensor, " T"]], outputs: Sequence[int], schedule: Schedule, attend: Attend,
    slots: int, pages: int, page: int, mark: Callable[[Tensor], Tensor] = lambda pool: pool,
) -> tuple[list[list[int]], Served]:  # fmt: skip
    """The likeliest continuation of each prompt, all of them through one scheduler and one pool.

    Parameters
    ----------
    prompts, outputs
        Tokens, int64, and how many to add; together at most the context of the model and one.
    schedule, slots, pages, page
        As in `lablib.cloud.requests.serve`.
    attend
        The attention of a step; see `Attend`.
    mark
        Applied to the pools before ``attend`` gets them; a test passes ``check.inout``.

    Returns
    -------
    list of list of int, Served
        The new tokens of each, and how the steps went.
    """
    server = _Server(gpt, [prompt.tolist() for prompt in prompts], attend, pages, page, mark)
    served = serve(
        schedule, [(len(p), n) for p, n in zip(prompts, outputs, strict=True)], slots, pages, page, server.step
    )
    return [all_[len(p) :] for all_, p in zip(server.tokens, prompts, strict=True)], served


class _Server:
    def __init__(
        self, gpt: GPT, tokens: list[list[int]], attend: Attend, pages: int, page: int,
        mark: Callable[[Tensor], Tensor],
    ) -> None:  # fmt: skip
        self.gpt, self.tokens, self.attend, self.page, self.mark = gpt, tokens, attend, page, mark
        self.blocks: Any = gpt.blocks
        attention = self.blocks[0].attention
        self.heads, width = attention.heads, gpt.embedding.embedding_dim
        shape = (pages, page, self.heads, width // self.heads)
        self.pools = [(torch.zeros(shape), torch.zeros(shape)) for _ in self.blocks]
        self.inside: dict[int, int] = {}  # tokens in the pages, by request

    def step(self, running: list[Request]) -> None:
        """Add a token to each sequence; those that are not in the pages are computed from their first token."""
        old = [one for one in running if self.inside.get(one.number) == one.cached - 1]
        new = [one for one in running if one not in old]
        if old:
            logits = self._next(old)
            for one, row in zip(old, logits, strict=True):
                self.tokens[one.number].append(int(row.argmax()))
        for one in new:
            self.tokens[one.number].append(int(self._from_first(one).argmax()))
        for one in running:
            self.inside[one.number] = one.cached
        gone = self.inside.keys() - {one.number for one in running}
        for number in gone:  # evicted: it begins again
            del self.inside[number]

    def _from_first(self, one: Request) -> Float[Tensor, " vocabulary"]:
        cache: Any = self.gpt.cache()
        logits = self.gpt(torch.tensor([self.tokens[one.number]]), cache)[0, -1]
        for (keys, values), held in zip(self.pools, cache, strict=True):
            for pool, part in ((keys, held.k), (values, held.v)):
                rows = part[0].transpose(0, 1)  # tokens, heads, d
                for place, number in enumerate(one.table):
                    some = rows[place * self.page : (place + 1) * self.page]
                    pool[number, : len(some)] = some
        return logits

    def _next(self, running: list[Request]) -> Float[Tensor, "B vocabulary"]:
        most = max(len(one.table) for one in running)
        tables = torch.tensor([one.table + [-1] * (most - len(one.table)) for one in running])
        lengths = torch.tensor([one.cached - 1 for one in running])
        x = (
            self.gpt.embedding(torch.tensor([self.tokens[one.number][-1] for one in running]))
            + self.gpt.places[lengths]
        )
        for block, (keys, values) in zip(self.blocks, self.pools, strict=True):
            q, k, v = block.attention.qkv(block.norm1(x)).view(len(x), 3, self.heads, -1).unbind(1)
            y = self.attend(q, k, v, self.mark(keys), self.mark(values), tables, lengths)
            x = x + block.attention.out(y.reshape(len(x), -1))
            x = x + block.mlp(block.norm2(x))
        return nn.functional.linear(self.gpt.norm(x), self.gpt.embedding.weight)
