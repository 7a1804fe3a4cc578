"""One model on several GPUs, the job staying the same: layers split by lab15's `tp_layer`, depth by its `one_f_one_b`.

Torch's own stands beside each: `parallelize_module` and `Schedule1F1B`.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.parallel_steps import weight_shapes, working_dtype
from benchmarks.parallel_timing import attention, timed

REPEATS = 10


def random_layers(sizes: dict[str, int], device: str) -> list[dict[str, Tensor]]:
    """lab15's weights of ``depth`` layers, the same on every rank."""
    generator = torch.Generator(device).manual_seed(0)
    return [
        {
            key: (0.02 * torch.randn(shape, generator=generator, device=device)).to(working_dtype(device))
            for key, shape in weight_shapes(sizes).items()
        }
        for _ in range(sizes["depth"])
    ]


def rows(sizes: dict[str, int], device: str) -> Tensor:
    """Activations, (sequences · context, width)."""
    generator = torch.Generator(device).manual_seed(1)
    shape = sizes["sequences"] * sizes["context"], sizes["width"]
    return torch.randn(shape, generator=generator, device=device).to(working_dtype(device))


class Layer(nn.Module):
    """lab15's layer as modules, queries, keys and values apart: what torch's tensor parallelism can cut."""

    def __init__(self, w: dict[str, Tensor], sizes: dict[str, int]) -> None:
        super().__init__()
        self.width, self.heads, self.context = sizes["width"], sizes["heads"], sizes["context"]
        q, k, v = w["qkv"].chunk(3, dim=1)
        self.q, self.k, self.v, self.up = linear(q), linear(k), linear(v), linear(w["up"])
        self.out, self.down = linear(w["out"], w["out_bias"]), linear(w["down"], w["down_bias"])

    def forward(self, x: Tensor) -> Tensor:
        h = F.layer_norm(x, x.shape[1:])
        qkv = torch.cat([self.q(h), self.k(h), self.v(h)], dim=1)
        here = self.heads * qkv.shape[1] // (3 * self.width)  # a rank has some of the heads
        x = x + self.out(attention(qkv, here, self.context))
        h = F.layer_norm(x, x.shape[1:])
        return x + self.down(F.gelu(self.up(h)))


def linear(weight: Tensor, bias: Tensor | None = None) -> nn.Linear:
    made = nn.Linear(*weight.shape, bias=bias is not None, device=weight.device, dtype=weight.dtype)
    with torch.no_grad():
        made.weight.copy_(weight.t())
        if bias is not None:
            made.bias.copy_(bias)
    return made


def passes(function: Callable[[Tensor], Tensor], weights: list[Tensor], x: Tensor) -> Callable[[], Tensor]:
    """A forward and a backward pass; it returns what the forward pass gave."""

    def step() -> Tensor:
        y = function(x)
        y.backward(torch.ones_like(y))
        for weight in weights:
            weight.grad = None
        return y.detach()

    return step


def labs_layers(comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any]) -> Callable[[], Tensor]:
    """Each layer split over all ranks by lab15's functions; on one rank, the layer itself."""
    split = comm.size > 1
    layers = random_layers(sizes, device)
    mine = [lab["split_layer"](w, comm.rank, comm.size) if split else w for w in layers]
    leaves = [weight.requires_grad_() for w in mine for weight in w.values()]

    def through(x: Tensor) -> Tensor:
        for w in mine:
            if split:
                x = lab["tp_layer"](x, w, sizes["heads"] // comm.size, comm.all_reduce)
            else:
                x = lab["layer"](x, w, sizes["heads"])
        return x

    return passes(through, leaves, rows(sizes, device))


def torchs_layers(comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any]) -> Callable[[], Tensor]:
    """The same by `parallelize_module`; on one rank, the modules themselves."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    model = nn.Sequential(*(Layer(w, sizes) for w in random_layers(sizes, device)))
    if comm.size > 1:
        mesh = init_device_mesh(device, (comm.size,))
        plan = {**dict.fromkeys("qkv", ColwiseParallel()), "up": ColwiseParallel(),
                "out": RowwiseParallel(), "down": RowwiseParallel()}  # fmt: skip
        for part in model:
            parallelize_module(part, mesh, plan)
    return passes(model, list(model.parameters()), rows(sizes, device))


def split_layers(comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any]) -> list[dict[str, Any]]:
    """This rank's seconds of a forward and a backward pass, and how far both ways agree."""
    measured, results = [], []
    for way, make in {"lab15's layers": labs_layers, "torch's layers": torchs_layers}.items():
        step = make(comm, sizes, device, lab)
        seconds = timed(step, device, REPEATS)
        results.append(step().float())
        measured.append({"way": way, "of_rank": seconds})
        del step
        clean(device)
    apart = ((results[0] - results[1]).norm() / results[0].norm()).item()
    return [{**row, "apart": apart} for row in measured]


def clean(device: str) -> None:
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()


class Stage:
    """The layers of one stage, which keeps each micro-batch's graph from its forward to its backward pass."""

    def __init__(self, stage: nn.Module) -> None:
        self.stage, self.kept = stage, {}

    def forward(self, number: int, x: Tensor) -> Tensor:
        x = x.detach().requires_grad_()
        y = self.stage(x)
        self.kept[number] = x, y
        return y.detach()

    def backward(self, number: int, dy: Tensor) -> Tensor:
        x, y = self.kept.pop(number)
        y.backward(dy)
        return x.grad


def labs_pipeline(
    comm: Any, stage: nn.Module, x: Tensor, micro_batches: int, order: list[tuple[str, int]]
) -> Callable[[], Tensor | None]:
    """A step in the order that lab15's schedule gives; the last stage's outputs, joined.

    Activations and gradients have a process group each: within one, what is sent comes out in order, and a stage may
    send an activation before it takes the gradient that its neighbour sent earlier.
    """
    from torch import distributed as dist

    ahead, back = dist.new_group(), dist.new_group()
    first, last = comm.rank == 0, comm.rank == comm.size - 1
    inputs, mine = x.chunk(micro_batches), Stage(stage)

    def received(group: Any, source: int) -> Tensor:
        tensor = torch.empty_like(inputs[0])
        dist.irecv(tensor, source, group=group).wait()
        return tensor

    def step() -> Tensor | None:
        on_the_way, outputs = [], []
        for kind, number in order:
            if kind == "F":
                y = mine.forward(number, inputs[number] if first else received(ahead, comm.rank - 1))
                outputs.append(y)
                if not last:
                    on_the_way.append((dist.isend(y, comm.rank + 1, group=ahead), y))
            else:
                dy = torch.ones_like(inputs[0]) if last else received(back, comm.rank + 1)
                dx = mine.backward(number, dy)
                if not first:
                    on_the_way.append((dist.isend(dx, comm.rank - 1, group=back), dx))
        for work, _ in on_the_way:
            work.wait()
        for weight in stage.parameters():
            weight.grad = None
        return torch.cat(outputs) if last else None

    return step


def torchs_pipeline(
    comm: Any, stage: nn.Module, x: Tensor, micro_batches: int, device: str
) -> Callable[[], Tensor | None]:
    """The same step by torch's own 1F1B."""
    from torch.distributed.pipelining import PipelineStage, Schedule1F1B

    place = torch.device(device, torch.cuda.current_device()) if device == "cuda" else torch.device(device)
    made = PipelineStage(stage, comm.rank, comm.size, place)
    schedule = Schedule1F1B(made, micro_batches, loss_fn=lambda y, target: y.sum(), scale_grads=False)

    def step() -> Tensor | None:
        last = comm.rank == comm.size - 1
        result = schedule.step(*([x] if comm.rank == 0 else []), **({"target": x, "losses": []} if last else {}))
        for weight in stage.parameters():
            weight.grad = None
        return result.detach() if last else None

    return step


def split_depth(
    comm: Any, sizes: dict[str, int], device: str, lab: dict[str, Any], micro_batches: int
) -> dict[str, Any]:
    """This rank's seconds of a step by both ways, and of its stage's forward and backward pass of one micro-batch."""
    here = sizes["depth"] // comm.size
    layers = random_layers(sizes, device)[comm.rank * here : (comm.rank + 1) * here]
    stage, x = nn.Sequential(*(Layer(w, sizes) for w in layers)), rows(sizes, device)
    one, alone = x.chunk(micro_batches)[0], Stage(stage)

    def there_and_back() -> None:
        alone.forward(0, one)
        alone.backward(0, torch.ones_like(one))

    def there() -> None:
        alone.forward(0, one)
        alone.kept.clear()

    result: dict[str, Any] = {"forward": timed(there, device, REPEATS), "both": timed(there_and_back, device, REPEATS)}
    orders = [lab["one_f_one_b"](rank, comm.size, micro_batches) for rank in range(comm.size)]
    outputs = []
    for way, step in {
        "lab15's pipeline": labs_pipeline(comm, stage, x, micro_batches, orders[comm.rank]),
        "torch's pipeline": torchs_pipeline(comm, stage, x, micro_batches, device),
    }.items():
        result[way] = timed(step, device, REPEATS)
        outputs.append(step())
        clean(device)
    if comm.rank == comm.size - 1:
        result["apart"] = ((outputs[0] - outputs[1]).float().norm() / outputs[0].float().norm()).item()
    return result
