"""A training step of a GPT on one GPU, and on several with the same batch on each: lab15's functions and torch's own.

The model is lab15's layer, depth times, between an embedding and a head. Weights and moments are float32, products
bfloat16, gradients travel in 16 bits. `pieces` cuts the model into pairs of functions, forward and backward, over one
flat tensor of weights each: the form that lab15's `ddp_gradients` and `zero_step` take. `Net` is the same model as a
module, for torch's DistributedDataParallel and FSDP2.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.parallel_timing import timed

REPEATS = 10
BUCKET_BYTES = 64 * 2**20
LEARNING_RATE = 1e-4
SCALE = 2.0**14  # of the loss: small gradients stay above the least float16; AdamW's step does not depend on it


def weight_shapes(sizes: dict[str, int]) -> dict[str, tuple[int, ...]]:
    """Of one layer."""
    C = sizes["width"]
    return {"qkv": (C, 3 * C), "out": (C, C), "out_bias": (C,), "up": (C, 4 * C), "down": (4 * C, C),
            "down_bias": (C,)}  # fmt: skip


def shapes_of(sizes: dict[str, int]) -> list[dict[str, tuple[int, ...]]]:
    """Of each piece: the embedding, the layers, the head."""
    V, C, T = sizes["vocabulary"], sizes["width"], sizes["context"]
    return [{"words": (V, C), "places": (T, C)}, *[weight_shapes(sizes)] * sizes["depth"], {"head": (C, V)}]


def first_weights(sizes: dict[str, int], device: str) -> list[Tensor]:
    """A flat float32 tensor for each piece, the same on every rank."""
    generator = torch.Generator(device).manual_seed(0)
    numbers = [sum(math.prod(shape) for shape in piece.values()) for piece in shapes_of(sizes)]
    return [0.02 * torch.randn(number, generator=generator, device=device) for number in numbers]


def batch(sizes: dict[str, int], rank: int, device: str) -> tuple[Tensor, Tensor]:
    """This rank's tokens and the ones to predict, (sequences · context,), int64."""
    generator = torch.Generator(device).manual_seed(1 + rank)
    count = sizes["sequences"] * sizes["context"]
    tokens = torch.randint(sizes["vocabulary"], (count,), generator=generator, device=device)
    return tokens, tokens.roll(-1)


class Piece:
    """Forward and backward of a part of the model, as lab15 wants them: weights are one flat tensor.

    Autograd keeps what the backward pass needs. With ``reshard`` the weights' memory is given back after the forward
    pass; whoever calls the backward pass must have filled the same tensor again.
    """

    def __init__(
        self, function: Callable[..., Tensor], shapes: dict[str, tuple[int, ...]], reshard: bool = False
    ) -> None:
        self.function, self.shapes, self.reshard = function, shapes, reshard

    def forward(self, weights: Tensor, x: Tensor) -> Tensor:
        parts = weights.detach().split([math.prod(shape) for shape in self.shapes.values()])
        self.leaves = {
            key: part.view(shape).detach().requires_grad_()
            for (key, shape), part in zip(self.shapes.items(), parts, strict=True)
        }
        self.x = x.detach().requires_grad_(x.is_floating_point())
        with torch.enable_grad():
            self.y = self.function(self.leaves, self.x)
        if self.reshard:
            weights.untyped_storage().resize_(0)
        return self.y.detach()

    def backward(self, weights: Tensor, x: Tensor, dy: Tensor | None) -> tuple[Tensor, Tensor | None]:
        inputs = [*self.leaves.values()] + [self.x] * self.x.requires_grad
        gradients = torch.autograd.grad(self.y, inputs, dy)
        flat = torch.cat([gradient.flatten() for gradient in gradients[: len(self.leaves)]])
        dx = gradients[-1] if self.x.requires_grad else None
        del self.y, self.leaves, self.x
        return flat, dx


def embed(w: dict[str, Tensor], tokens: Tensor) -> Tensor:
    return F.embedding(tokens, w["words"]) + w["places"].repeat(len(tokens) // len(w["places"]), 1)


def loss_of(w: dict[str, Tensor], x: Tensor, targets: Tensor) -> Tensor:
    return F.cross_entropy((F.layer_norm(x, x.shape[1:]) @ w["head"]).float(), targets) * SCALE


def functions(sizes: dict[str, int], targets: Tensor, layer: Callable[..., Tensor]) -> list[Callable[..., Tensor]]:
    """What each piece computes from its weights by name and its input."""
    middle = [lambda w, x: layer(x, w, sizes["heads"])] * sizes["depth"]
    return [embed, *middle, partial(loss_of, targets=targets)]


class Part(nn.Module):
    """A piece as a module with parameters of its own, computed with in another dtype."""

    def __init__(self, flat: Tensor, shapes: dict, function: Callable[..., Tensor], dtype: torch.dtype) -> None:
        super().__init__()
        self.function, self.dtype = function, dtype
        parts = flat.split([math.prod(shape) for shape in shapes.values()])
        self.weights = nn.ParameterDict(
            {
                key: nn.Parameter(part.view(shape).clone())
                for (key, shape), part in zip(shapes.items(), parts, strict=True)
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.function({key: weight.to(self.dtype) for key, weight in self.weights.items()}, x)


def net(sizes: dict[str, int], targets: Tensor, device: str, layer: Callable[..., Tensor]) -> nn.Sequential:
    """The model as modules: tokens to the scaled loss."""
    parts = zip(first_weights(sizes, device), shapes_of(sizes), functions(sizes, targets, layer), strict=True)
    return nn.Sequential(*(Part(*part, dtype=working_dtype(device)) for part in parts))


def working_dtype(device: str) -> torch.dtype:
    return torch.bfloat16 if device == "cuda" else torch.float32


def adamw(parameters: Any) -> torch.optim.AdamW:
    return torch.optim.AdamW(parameters, lr=LEARNING_RATE, fused=True)


def torchs_step(
    comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any], how: str, reshard: bool = True
) -> Callable[[], Tensor]:
    """A step by torch's means: ``"alone"``, ``"ddp"`` or ``"fsdp"``; it returns the scaled loss of this rank."""
    tokens, targets = batch(sizes, comm.rank, device)
    model: nn.Module = net(sizes, targets, device, lab["layer"])
    if how == "fsdp":
        from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

        dtype = working_dtype(device)
        policy = MixedPrecisionPolicy(param_dtype=dtype, reduce_dtype=dtype)
        for part in model:
            fully_shard(part, mp_policy=policy, reshard_after_forward=reshard)
        fully_shard(model, mp_policy=policy)
    if how == "ddp":
        from torch.distributed.algorithms.ddp_comm_hooks import default_hooks
        from torch.nn.parallel import DistributedDataParallel

        model = DistributedDataParallel(model, gradient_as_bucket_view=True, bucket_cap_mb=BUCKET_BYTES >> 20)
        if device == "cuda":
            model.register_comm_hook(None, default_hooks.bf16_compress_hook)
    optimizer = adamw(model.parameters())

    def step() -> Tensor:
        loss = model(tokens)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss.detach()

    return step


def labs_ddp_step(comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any]) -> Callable[[], Tensor]:
    """A step with lab15's `ddp_gradients`: buckets of float16 leave while earlier layers' gradients are computed."""
    tokens, targets = batch(sizes, comm.rank, device)
    flats = [nn.Parameter(flat) for flat in first_weights(sizes, device)]
    pieces = [Piece(*pair) for pair in zip(functions(sizes, targets, lab["layer"]), shapes_of(sizes), strict=True)]
    optimizer = adamw(flats)

    def step() -> Tensor:
        x = tokens
        for piece, flat in zip(pieces, flats, strict=True):
            x = piece.forward(flat.detach().to(working_dtype(device)), x)
        dy: list[Tensor | None] = [None]
        no_weights = tokens.new_empty(0)  # a piece keeps what it needs of them

        def backward(piece: Piece) -> Tensor:
            gradient, dy[0] = piece.backward(no_weights, piece.x, dy[0])
            return gradient

        steps = [partial(backward, piece) for piece in reversed(pieces)]
        gradients = lab["ddp_gradients"](steps, BUCKET_BYTES, comm.size, comm.start_all_reduce)
        for flat, gradient in zip(reversed(flats), gradients, strict=True):
            flat.grad = gradient
        optimizer.step()
        optimizer.zero_grad()
        return x

    return step


class GatherAhead:
    """The all-gathers of a step, each begun one before it is asked for, so that it hides behind work.

    Pieces are gathered in order, and in reverse; the second time into the tensor of the first, unless it is still full.
    """

    def __init__(self, shards: list[Tensor], size: int, dtype: torch.dtype) -> None:
        self.shards, self.size, self.dtype = shards, size, dtype
        self.order = [*range(len(shards)), *reversed(range(len(shards)))]
        self.wholes: dict[int, Tensor] = {}
        self.place, self.begun = 0, self._begin(0)

    def _begin(self, place: int) -> Any:
        from torch import distributed as dist

        if place == len(self.order) or (place and self.order[place] == self.order[place - 1]):
            return None  # the step is over; or the last piece, whose backward pass comes at once
        number = self.order[place]
        shard = self.shards[number].detach().to(self.dtype)
        if number not in self.wholes:
            self.wholes[number] = shard.new_empty(self.size * len(shard))
        whole = self.wholes[number]
        whole.untyped_storage().resize_(whole.nbytes)
        gather = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
        return gather(whole.data, shard, async_op=True)  # `data`: autograd need not know, the values are as before

    def __call__(self, shard: Tensor) -> Tensor:
        number, work = self.order[self.place], self.begun
        if shard is not self.shards[number]:
            raise RuntimeError(f"expected the shard of piece {number}: gathers have begun in another order")
        self.place += 1
        self.begun = self._begin(self.place)
        if work:
            work.wait()
        return self.wholes[number]


def labs_zero_step(
    comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any], reshard: bool
) -> Callable[[], Tensor]:
    """A step with lab15's `zero_step`, on functions that begin early and end late.

    Gathers are one piece ahead, reduce-scatters are waited for after the last piece, and then all shards are updated at
    once.
    """
    from torch import distributed as dist

    scatter = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor
    tokens, targets = batch(sizes, comm.rank, device)
    flats, shapes = first_weights(sizes, device), shapes_of(sizes)
    shards = [nn.Parameter(lab["shard"](flat, comm.rank, comm.size)) for flat in flats]
    pieces = [
        Piece(function, shape, reshard and number + 1 < len(shapes))
        for number, (function, shape) in enumerate(zip(functions(sizes, targets, lab["layer"]), shapes, strict=True))
    ]
    del flats
    optimizer = adamw(shards)
    works: list[tuple[Any, Tensor]] = []
    losses: list[Tensor] = []

    def reduce_scatter(gradient: Tensor) -> Tensor:
        mine = gradient.new_empty(len(gradient) // comm.size)
        works.append((scatter(mine, gradient, async_op=True), gradient))
        return mine

    def update_later(shard: nn.Parameter, gradient: Tensor, state: None, step: int) -> tuple[nn.Parameter, None]:
        arriving[shard] = gradient
        return shard, state

    def last_forward(weights: Tensor, x: Tensor) -> Tensor:
        losses[:] = [pieces[-1].forward(weights, x)]
        return losses[0]

    arriving: dict[nn.Parameter, Tensor] = {}
    lab["zero_step"].__globals__["adamw"] = update_later
    layers = [(piece.forward, piece.backward) for piece in pieces[:-1]] + [(last_forward, pieces[-1].backward)]
    states = [None] * len(shards)

    def step() -> Tensor:
        gather = GatherAhead(shards, comm.size, working_dtype(device))
        lab["zero_step"](layers, shards, states, tokens, 1, reshard, comm.size, gather, reduce_scatter)
        for work, _ in works:
            work.wait()
        works.clear()
        for shard, gradient in arriving.items():
            shard.grad = gradient.float()
        optimizer.step()
        optimizer.zero_grad()
        return losses[0]

    return step


WAYS: dict[str, Callable[..., Callable[[], Tensor]]] = {
    "alone": partial(torchs_step, how="alone"),
    "torch's DDP": partial(torchs_step, how="ddp"),
    "lab15's DDP": labs_ddp_step,
    "torch's FSDP2": partial(torchs_step, how="fsdp"),
    "lab15's ZeRO": partial(labs_zero_step, reshard=True),
    "torch's FSDP2, weights kept": partial(torchs_step, how="fsdp", reshard=False),
    "lab15's ZeRO, weights kept": partial(labs_zero_step, reshard=False),
}


def measured_steps(comm: Any, ways: list[str], sizes: dict[str, int], device: str, lab: dict) -> list[dict[str, Any]]:
    """For each way this rank's seconds of each step, the ranks' mean loss after them, and its most bytes of memory."""
    rows = []
    for way in ways:
        step = WAYS[way](comm, sizes=sizes, device=device, lab=lab)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        seconds = timed(step, device, REPEATS)
        loss = comm.all_reduce(step().float()).item() / comm.size / SCALE
        peak = torch.cuda.max_memory_allocated() if device == "cuda" else None
        rows.append({"way": way, "of_rank": seconds, "loss": loss, "peak_bytes": peak})
        del step
        gc.collect()
        if device == "cuda":
            torch.cuda.empty_cache()
    return rows
