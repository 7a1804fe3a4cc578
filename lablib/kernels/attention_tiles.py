"""What the attention kernels share: which tile a program owns, and which keys its queries see.

Queries and keys of a sequence are aligned at their ends: with ``offset = length_k - length_q``, query i stands at
position ``i + offset``. Causal attention sees the keys up to that position, a window the last ``window`` of them.

                       keys ──>
                  begin   full_begin   full_end   end
                    │  masked  │   full    │ masked │          for one block of queries; keys outside are skipped
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from lablib import device

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

__all__ = [
    "Packing",
    "check_attention",
    "describe_rows",
    "describe_tiles",
    "empty_rows",
    "empty_tiles",
    "heads_per_section",
    "own_sequence",
    "own_tile",
    "sees",
    "tileable",
    "visible_keys",
    "visible_queries",
]

HEAD_DIMS = (64, 128)
SECTION_BYTES = 2**24  # of K and V, or Q and dO: what is read again and again, and must stay in the L2 cache
LOG2_E = 1.4426950408889634


@triton.jit
def own_tile(blocks, heads, SECTION: tl.constexpr):
    """Rank of this program's block, and its head: the first blocks of a section of heads go before its later ones.

    Programs start in the order of their ids. Blocks with the most work, given rank 0, start first, so that short ones
    fill the gaps at the end. A section is as many heads as keep their tensors in the L2 cache.
    """
    program = tl.program_id(0)
    section = program // (blocks * SECTION)
    within = program % (blocks * SECTION)
    wide = tl.minimum(SECTION, heads - section * SECTION)
    return within // wide, section * SECTION + within % wide


@triton.jit
def own_sequence(sequence, starts_q_ptr, starts_k_ptr, length_q, length_k):
    """Batch index of a sequence, its first rows in q, in k and in what `empty_rows` made, and its lengths.

    A sequence is one of a batch, or, with ``starts``, a part of a packed row.
    """
    batch = sequence
    start_q = sequence * 0
    start_k = sequence * 0
    start_row = sequence * 0
    if starts_q_ptr is not None:
        batch = sequence * 0
        start_q = tl.load(starts_q_ptr + sequence)
        start_k = tl.load(starts_k_ptr + sequence)
        length_q = tl.load(starts_q_ptr + sequence + 1) - start_q
        length_k = tl.load(starts_k_ptr + sequence + 1) - start_k
        start_row = (start_q + 4 * sequence) // 4 * 4
    return batch, start_q, start_k, start_row, length_q, length_k


@triton.jit
def visible_keys(
    first, last, length_q, length_k, window, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Keys that some query of ``first`` to ``last`` sees, and between them the whole blocks that every one sees."""
    offset = length_k - length_q
    begin = 0
    full_begin = 0
    end = length_k
    full_end = length_k // BLOCK * BLOCK
    if CAUSAL:
        end = tl.maximum(tl.minimum(end, last + offset + 1), 0)
        full_end = tl.minimum(full_end, tl.maximum(first + offset + 1, 0) // BLOCK * BLOCK)
    if WINDOWED:
        begin = tl.maximum(first + offset + 1 - window, 0) // BLOCK * BLOCK
        full_begin = tl.minimum(tl.cdiv(tl.maximum(last + offset + 1 - window, 0), BLOCK) * BLOCK, end)
    return begin, full_begin, tl.maximum(full_begin, full_end), end


@triton.jit
def visible_queries(
    first, last, length_q, length_k, window, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr, BLOCK: tl.constexpr
):  # fmt: skip
    """Queries that see some key of ``first`` to ``last``, and between them the whole blocks that see every one."""
    offset = length_k - length_q
    begin = 0
    full_begin = 0
    end = length_q
    full_end = length_q // BLOCK * BLOCK
    if CAUSAL:
        begin = tl.maximum(first - offset, 0) // BLOCK * BLOCK
        full_begin = tl.minimum(tl.cdiv(tl.maximum(last - offset, 0), BLOCK) * BLOCK, end)
    if WINDOWED:
        end = tl.maximum(tl.minimum(end, last - offset + window), 0)
        full_begin = tl.minimum(full_begin, end)
        full_end = tl.minimum(full_end, tl.maximum(first - offset + window, 0) // BLOCK * BLOCK)
    return begin, full_begin, tl.maximum(full_begin, full_end), end


@triton.jit
def sees(positions, keys, length_k, window, CAUSAL: tl.constexpr, WINDOWED: tl.constexpr):
    """Which of the queries at ``positions`` see which of the ``keys``; both broadcast to a tile."""
    seen = keys < length_k
    if CAUSAL:
        seen = seen & (keys <= positions)
    if WINDOWED:
        seen = seen & (keys > positions - window)
    return seen


@dataclass(frozen=True)
class Packing:
    """Where the sequences lie.

    Attributes
    ----------
    starts_q, starts_k : torch.Tensor or None
        Where each sequence starts on a packed row, and where the last ends: int32, shape (sequences + 1,). None where
        every sequence has a batch index of its own.
    longest_q, longest_k : int
        Rows of the longest.
    sequences : int
        How many.
    """

    starts_q: torch.Tensor | None
    starts_k: torch.Tensor | None
    longest_q: int
    longest_k: int
    sequences: int


def heads_per_section(length: int, head_dim: int, itemsize: int) -> int:
    """Heads whose two tensors of ``length`` rows fit into a section, a power of two."""
    fitting = SECTION_BYTES // max(1, 2 * length * head_dim * itemsize)
    return 1 << max(0, fitting.bit_length() - 1)


def tileable(x: torch.Tensor) -> torch.Tensor:
    """``x``, or a copy where the tensor memory accelerator could not read it: its strides are multiples of 16 bytes."""
    steps = [stride * x.element_size() % 16 for stride in x.stride()[:-1]]
    fits = x.stride(-1) == 1 and not any(steps) and 0 not in x.stride() and x.data_ptr() % 16 == 0
    return x if fits else x.clone(memory_format=torch.contiguous_format)


def describe_tiles(x: torch.Tensor, rows: int) -> TensorDescriptor:
    """A descriptor of tiles of ``rows`` rows of ``x``, shape (B, H, S, D). Outside of ``x`` it reads zeros."""
    return TensorDescriptor.from_tensor(tileable(x), [1, 1, rows, x.shape[-1]])


def empty_tiles(x: torch.Tensor) -> torch.Tensor:
    """Memory for a result like ``x``, in its order of axes where D is the last of that."""
    return torch.empty_like(x) if x.stride(-1) == 1 and 0 not in x.stride() else x.new_empty(x.shape)


def empty_rows(q: torch.Tensor, packing: Packing) -> torch.Tensor:
    """One float32 for each row of ``q``, shape (B, H, S), where the tensor memory accelerator can read it.

    It reads from multiples of 16 bytes. So heads are padded to these, and packed sequences start at them: the axis S
    has four rows more for each.
    """
    B, H, S, _ = q.shape
    S += 4 * packing.sequences if packing.starts_q is not None else 0
    return torch.empty((B, H, triton.cdiv(S, 4) * 4), dtype=torch.float32, device=q.device)[:, :, :S]


def describe_rows(x: torch.Tensor, rows: int) -> TensorDescriptor:
    """A descriptor of ``rows`` numbers of what `empty_rows` made."""
    return TensorDescriptor.from_tensor(x, [1, 1, rows])


def check_attention(
    name: str,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    causal: bool,
    window: int | None,
    scale: float | None,
) -> None:
    """Raise where (B, H, S, D) queries and keys and values do not belong together.

    Raises
    ------
    ValueError
        With what was expected and what came.
    """
    shapes = f"q {tuple(q.shape)}, k {tuple(k.shape)} and v {tuple(v.shape)}"
    if q.dim() != 4 or k.shape != v.shape or k.dim() != 4 or (q.shape[0], q.shape[3]) != (k.shape[0], k.shape[3]):
        raise ValueError(f"{name} takes q (B, H, S, D) and k and v (B, H_kv, S_k, D); it got {shapes}.")
    if q.shape[3] not in HEAD_DIMS or k.shape[1] == 0 or q.shape[1] % k.shape[1] or 0 in (*q.shape, *k.shape):
        raise ValueError(
            f"{name} takes head dimensions {HEAD_DIMS}, a whole number of query heads a key head and no empty axis; "
            f"it got {shapes}."
        )
    if not q.dtype == k.dtype == v.dtype or q.dtype not in (torch.float16, torch.bfloat16, torch.float32):
        raise ValueError(
            f"{name} takes q, k and v of one dtype, float16, bfloat16 or float32; it got {q.dtype}, {k.dtype} and "
            f"{v.dtype}."
        )
    if window is not None and (window < 1 or not causal):
        raise ValueError(f"{name} takes a window of at least 1, with causal=True; it got {window}, causal={causal}.")
    if scale is not None and scale <= 0:
        raise ValueError(f"{name} takes a positive scale; it got {scale}.")
    device.refuse_bfloat16(name, q, k, v)
