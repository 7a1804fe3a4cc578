"""AdamW in one pass: parameters and both moments are read, updated and written back, in one launch.

    m <- β₁ m + (1 - β₁) g                       first moment
    v <- β₂ v + (1 - β₂) g²                      second moment
    p <- (1 - η λ) p - η m̂ / (√v̂ + ε),          m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

One tensor is a vector of blocks. Many tensors are cut into chunks, and a table says where each chunk begins:

                 tensor 0          tensor 1   tensor 2
              ┌─────┬─────┬──┐      ┌──┐     ┌─────┬───┐
              │  0  │  1  │ 2│      │ 3│     │  4  │ 5 │        program i:  row i of the table ──> four
              └─────┴─────┴──┘      └──┘     └─────┴───┘                    addresses and a length ──> update

    table[i] = (&p, &g, &m, &v at the chunk's first element, elements in the chunk)

So 300 tensors cost one launch, and the smallest bias no launch of its own.

Binding roof: memory bandwidth (about 15 operations for 28 bytes in float32: p, g, m, v read; p, m, v written).

Measured on an H200 (torch 2.11, Triton 3.6), float32: 2²⁸ elements take 1.76 ms in one tensor (4.27 TB/s, 0.99 of the
roof) and 1.80 ms in 300 (0.97 of it); torch's fused step takes 2.15 and 2.21 ms. In CUDA graphs, 2¹⁶ elements take
2.2 µs and 100 tensors of 1000 elements 2.8 µs; torch's step takes 26.4 and 9.1 µs.

Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv:1711.05101, algorithm 2; as in
PyTorch, the learning rate scales the decay too.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from lablib import device  # noqa: F401  (before triton: it decides whether kernels are interpreted)
from lablib.gpu.cost import Cost
from lablib.kernels.tuned import Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["adamw", "adamw_cost", "adamw_reference"]

# Not searched: every try would be a step. On an H200 a hint to evict first cost 6%, a hint to stream the stores 2%,
# several blocks a program up to 5%, and chunks of 4096 and 16384 another 2 and 6%.
CONFIGURATIONS = Tuned(
    {
        ("sm_90", "3.6"): {
            "one": {"BLOCK": 1024, "num_warps": 4},
            "many": {"BLOCK": 1024, "num_warps": 4, "CHUNK": 2048},
        }
    }
)

TYPES = {torch.float32: tl.float32, torch.bfloat16: tl.bfloat16, torch.float16: tl.float16}
Tensors = torch.Tensor | Sequence[torch.Tensor]


def adamw_reference(
    parameter: torch.Tensor,
    gradient: torch.Tensor,
    first: torch.Tensor,
    second: torch.Tensor,
    step: int,
    learning_rate: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 1e-2,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The new parameter, first and second moment of one tensor, in plain torch."""
    beta1, beta2 = betas
    gradient = gradient.to(first.dtype)
    first = beta1 * first + (1 - beta1) * gradient
    second = beta2 * second + (1 - beta2) * gradient**2
    direction = first / (1 - beta1**step) / ((second / (1 - beta2**step)).sqrt() + epsilon)
    moved = (1 - learning_rate * weight_decay) * parameter - learning_rate * direction
    return moved.to(parameter.dtype), first, second


def adamw_cost(n: int, itemsize: int = 4) -> Cost:
    """Least cost for n elements of ``itemsize`` bytes with moments in float32: four values read, three written."""
    return Cost(flops=15 * n, bytes=n * (3 * itemsize + 4 * 4))


@triton.jit
def _update(p_ptr, g_ptr, m_ptr, v_ptr, offsets, inside, decay, step_size, take1, take2, root_scale, epsilon):
    """One AdamW step on the elements at ``offsets``."""
    p = tl.load(p_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
    g = tl.load(g_ptr + offsets, mask=inside, other=0.0).to(tl.float32)
    m = tl.load(m_ptr + offsets, mask=inside, other=0.0)
    v = tl.load(v_ptr + offsets, mask=inside, other=0.0)
    m += take1 * (g - m)
    v += take2 * (g * g - v)
    p = p * decay - step_size * m / (tl.sqrt(v) * root_scale + epsilon)
    tl.store(p_ptr + offsets, p.to(p_ptr.dtype.element_ty), mask=inside)
    tl.store(m_ptr + offsets, m, mask=inside)
    tl.store(v_ptr + offsets, v, mask=inside)


@triton.jit
def _adamw_kernel(
    p_ptr, g_ptr, m_ptr, v_ptr, n, decay, step_size, take1, take2, root_scale, epsilon, BLOCK: tl.constexpr
):  # fmt: skip
    offsets = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    _update(
        p_ptr, g_ptr, m_ptr, v_ptr, offsets, offsets < n, decay, step_size, take1, take2, root_scale, epsilon
    )  # fmt: skip


@triton.jit
def _adamw_many_kernel(
    table_ptr, decay, step_size, take1, take2, root_scale, epsilon,
    DTYPE: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    entry = table_ptr + tl.program_id(0) * 5
    # Chunks begin at multiples of 16 bytes. The compiler cannot see that in a number from memory: told, it loads 16
    # bytes at a time.
    p_ptr = tl.multiple_of(tl.load(entry).to(tl.pointer_type(DTYPE)), 16)
    g_ptr = tl.multiple_of(tl.load(entry + 1).to(tl.pointer_type(DTYPE)), 16)
    m_ptr = tl.multiple_of(tl.load(entry + 2).to(tl.pointer_type(tl.float32)), 16)
    v_ptr = tl.multiple_of(tl.load(entry + 3).to(tl.pointer_type(tl.float32)), 16)
    n = tl.load(entry + 4).to(tl.int32)
    lanes = tl.arange(0, BLOCK)
    if n == CHUNK:  # a mask that ends at a number from memory would split the loads into elements again
        for start in range(0, CHUNK, BLOCK):
            _update(
                p_ptr, g_ptr, m_ptr, v_ptr, start + lanes, start + lanes < CHUNK,
                decay, step_size, take1, take2, root_scale, epsilon,
            )  # fmt: skip
    else:
        for start in range(0, n, BLOCK):
            _update(
                p_ptr, g_ptr, m_ptr, v_ptr, start + lanes, start + lanes < n,
                decay, step_size, take1, take2, root_scale, epsilon,
            )  # fmt: skip


def adamw(
    parameters: Tensors,
    gradients: Tensors,
    first_moments: Tensors,
    second_moments: Tensors,
    step: int,
    learning_rate: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    epsilon: float = 1e-8,
    weight_decay: float = 1e-2,
) -> None:
    """One step of AdamW, in place: it changes the parameters and both moments.

    Parameters
    ----------
    parameters, gradients
        A tensor each, or lists of as many tensors. All float32, bfloat16 or float16, contiguous.
    first_moments, second_moments
        The same shapes in float32, contiguous; zeros before the first step.
    step
        1 for the first step.
    learning_rate, betas, epsilon, weight_decay
        As for ``torch.optim.AdamW``.

    Raises
    ------
    ValueError
        If shapes or dtypes do not match, ``step`` is below 1, a tensor is not contiguous, or one of a list begins
        elsewhere than at a multiple of 16 bytes.

    Examples
    --------
    >>> p, g, m, v = torch.tensor([[1.0], [2.0], [0.0], [0.0]], device=device.DEVICE)
    >>> adamw(p, g, m, v, step=1, learning_rate=0.5, weight_decay=0.0)
    >>> [round(x.item(), 4) for x in (p, m, v)]
    [0.5, 0.2, 0.004]
    """
    one = isinstance(parameters, torch.Tensor)
    given = (parameters, gradients, first_moments, second_moments)
    lists = [[each] if isinstance(each, torch.Tensor) else list(each) for each in given]
    _check(lists)
    if step < 1:
        raise ValueError(f"adamw counts its steps from 1; it got step {step}.")
    # On the host in float64: in float32, 1 - 0.999 would be off by a hundred-thousandth.
    beta1, beta2 = map(float, betas)
    scalars = (
        1.0 - learning_rate * weight_decay, learning_rate / (1 - beta1**step),
        1 - beta1, 1 - beta2, (1 - beta2**step) ** -0.5, epsilon,
    )  # fmt: skip
    if one:
        _launch_one(*(tensors[0] for tensors in lists), scalars)
    else:
        _launch_many(lists, scalars)


def _launch_one(p: torch.Tensor, g: torch.Tensor, m: torch.Tensor, v: torch.Tensor, scalars: tuple) -> None:
    configuration = CONFIGURATIONS.configuration("one")
    grid = (triton.cdiv(p.numel(), configuration["BLOCK"]),)
    _adamw_kernel[grid](p, g, m, v, p.numel(), *scalars, **configuration)


def _launch_many(lists: list[list[torch.Tensor]], scalars: tuple) -> None:
    configuration = CONFIGURATIONS.configuration("many")
    addresses = tuple(tensor.data_ptr() for tensors in lists for tensor in tensors)
    if any(address % 16 for address in addresses):
        raise ValueError("adamw takes lists of tensors that begin at multiples of 16 bytes; one of them does not.")
    lengths = tuple(tensor.numel() for tensor in lists[0])
    first = lists[0][0]
    table = _table(addresses, lengths, first.element_size(), configuration["CHUNK"], first.device)
    _adamw_many_kernel[(len(table),)](table, *scalars, DTYPE=TYPES[first.dtype], **configuration)


@lru_cache(maxsize=8)
def _table(
    addresses: tuple[int, ...], lengths: tuple[int, ...], itemsize: int, chunk: int, where: torch.device
) -> torch.Tensor:
    """For each chunk of each tensor: the addresses of its p, g, m and v, and its length; int64, shape (chunks, 5).

    It depends on nothing but its arguments, so a training loop whose tensors stay where they are builds it once. To
    capture a step in a CUDA graph, run it before: a replay would copy from memory that is gone.
    """
    chunks = -(-np.array(lengths) // chunk)
    tensor = np.repeat(np.arange(len(lengths)), chunks)
    start = chunk * (np.arange(len(tensor)) - np.repeat(chunks.cumsum() - chunks, chunks))
    begin = np.array(addresses, dtype=np.int64).reshape(4, -1)[:, tensor]
    begin += start * np.array([itemsize, itemsize, 4, 4])[:, None]
    left = np.minimum(np.array(lengths)[tensor] - start, chunk)
    table = torch.from_numpy(np.stack([*begin, left], axis=1))
    # From pinned memory the copy is queued like a kernel; from other memory the host would wait for it.
    return table.pin_memory().to(where, non_blocking=True) if where.type == "cuda" else table.to(where)


def _check(lists: list[list[torch.Tensor]]) -> None:
    counts = [len(tensors) for tensors in lists]
    if len(set(counts)) != 1 or not counts[0]:
        raise ValueError(f"adamw takes as many gradients and moments as parameters, at least one; it got {counts}.")
    dtype = lists[0][0].dtype
    for p, g, m, v in zip(*lists, strict=True):
        alike = p.shape == g.shape == m.shape == v.shape and p.dtype == g.dtype == dtype
        if not (alike and m.dtype == v.dtype == torch.float32 and dtype in TYPES):
            given = ", ".join(f"{one.dtype} {tuple(one.shape)}" for one in (p, g, m, v))
            raise ValueError(
                "adamw takes a parameter and its gradient in one of float32, bfloat16 and float16, and both moments in "
                f"float32, all of one shape; it got {given}."
            )
        if not (p.is_contiguous() and g.is_contiguous() and m.is_contiguous() and v.is_contiguous()):
            strides = ", ".join(str(one.stride()) for one in (p, g, m, v))
            raise ValueError(f"adamw takes contiguous tensors; it got strides {strides}.")
