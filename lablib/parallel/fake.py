"""Count a training step of thousands of ranks in one process: PyTorch's own FSDP2 and tensor parallelism, no data.

PyTorch's fake process group answers every collective at once, and fake tensors have shapes and no memory. So one rank
runs its whole step as it would among 4096, and each collective can be counted as it is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from lablib.parallel.traffic import ring_bytes

__all__ = ["Counted", "count_step"]


@dataclass(frozen=True)
class Counted:
    """What one rank does in a step.

    Attributes
    ----------
    calls, sent
        By (axis of the mesh, collective): how often, and the bytes that its ring sends.
    parameters
        Elements of the parameters that the rank holds.
    """

    calls: dict[tuple[str, str], int]
    sent: dict[tuple[str, str], Fraction]
    parameters: int


def count_step(
    blocks: Sequence[torch.nn.Module], dp: int, tp: int, split: Mapping[str, str], shape: Sequence[int],
    reshard: bool = True,
) -> Counted:  # fmt: skip
    """Run forward and backward of ``blocks``, one after the other, as rank 0 of ``dp`` × ``tp`` ranks.

    Parameters
    ----------
    blocks
        Modules on the device ``"meta"``; each is a unit of FSDP2. They are changed.
    dp, tp
        Ranks that share the data, and, side by side, those that share each layer. Neither may be 1.
    split
        By name of a linear layer inside a block: ``"column"`` or ``"row"``.
    shape
        Of this rank's input.
    reshard
        Whether parameters are given back after the forward pass.

    Raises
    ------
    RuntimeError
        A process group is open already.

    Examples
    --------
    >>> class Pair(torch.nn.Module):
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.up, self.down = (torch.nn.Linear(8, 8, bias=False) for _ in range(2))
    ...     def forward(self, x):
    ...         return x + self.down(self.up(x))
    >>> with torch.device("meta"):
    ...     pair = Pair()
    >>> counted = count_step([pair], 4, 2, {"up": "column", "down": "row"}, (16, 8))
    >>> counted.parameters, counted.calls["tp", "all_reduce"]
    (16, 2)
    """
    from torch import distributed as dist
    from torch.testing._internal.distributed.fake_pg import FakeStore

    if dist.is_initialized():
        raise RuntimeError("count_step opens a process group of its own: call dist.destroy_process_group() first")
    if dp < 2 or tp < 2:
        raise ValueError(f"dp and tp must be at least 2, so that every collective is called; got {dp} and {tp}")
    dist.init_process_group("fake", rank=0, world_size=dp * tp, store=FakeStore())
    try:
        return _count(blocks, dp, tp, split, shape, reshard)
    finally:
        dist.destroy_process_group()


def _count(
    blocks: Sequence[torch.nn.Module], dp: int, tp: int, split: Mapping[str, str], shape: Sequence[int], reshard: bool
) -> Counted:
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard
    from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

    mesh = init_device_mesh("cpu", (dp, tp), mesh_dim_names=("dp", "tp"))
    styles = {"column": ColwiseParallel, "row": RowwiseParallel}
    for block in blocks:
        parallelize_module(block, mesh["tp"], {name: styles[how]() for name, how in split.items()})
        fully_shard(block, mesh=mesh["dp"], reshard_after_forward=reshard)
    axes = {str(mesh.get_group(axis).group_name): axis for axis in ("dp", "tp")}
    model = torch.nn.Sequential(*blocks)
    held = sum(_local(p).numel() for p in model.parameters())
    with FakeTensorMode(allow_non_fake_inputs=True):
        model.to_empty(device="cpu")
        x = torch.empty(*shape, requires_grad=True)
        counter = _counter(axes, {"dp": dp, "tp": tp})
        with counter:
            model(x).sum().backward()
    return Counted(counter.calls, counter.sent, held)


def _local(parameter: Any) -> torch.Tensor:
    return parameter.to_local() if hasattr(parameter, "to_local") else parameter


def _counter(axes: Mapping[str, str], sizes: Mapping[str, int]) -> Any:
    """A dispatch mode that counts collectives by axis, made here because its base class is slow to import."""
    from torch import distributed as dist
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    class Counter(TorchDispatchMode):
        def __init__(self) -> None:
            super().__init__()
            self.calls: dict[tuple[str, str], int] = {}
            self.sent: dict[tuple[str, str], Fraction] = {}

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            result = function(*args, **(kwargs or {}))
            if "c10d" in function.namespace and "wait" not in function.__name__:
                self.note(function.__name__, tree_leaves((args, kwargs)))
            return result

        def note(self, name: str, leaves: list) -> None:
            # The functional operations carry their group's name; FSDP2's carry the group, boxed.
            collective = name.partition(".")[0].strip("_").removesuffix("_base").replace("allgather", "all_gather")
            boxed = [leaf for leaf in leaves if isinstance(leaf, torch.ScriptObject)]
            names = [leaf for leaf in leaves if isinstance(leaf, str) and leaf in axes]
            axis = axes[dist.ProcessGroup.unbox(boxed[0]).group_name] if boxed else axes[names[0]]
            nbytes = max(leaf.nbytes for leaf in leaves if isinstance(leaf, torch.Tensor))
            key = (axis, collective)
            self.calls[key] = self.calls.get(key, 0) + 1
            self.sent[key] = self.sent.get(key, Fraction()) + ring_bytes(collective, nbytes, sizes[axis])

    return Counter()
