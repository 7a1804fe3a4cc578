"""Measure lab07 on a GPU: run its solution's tests, then time its kernels beside the backends of PyTorch's attention.

    python -m benchmarks.lab07 [FILE]
    python -m benchmarks.lab07 quote

Every kernel is checked against its oracle by the lab's own tests first, then at the size at which it is timed, against
PyTorch's result; nothing is timed if one fails. Times are medians with a cold L2 on random data. The file is
benchmarks/results/<date>-<machine>-lab07.json unless given. ``quote`` measures nothing: it copies the
newest measurement of the forward pass, and of flash attention by `benchmarks.kernels`, to where the lab shows them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from lablib import device

import torch  # isort: skip

from autograder.master import load  # isort: skip
from benchmarks import result_files  # isort: skip
from benchmarks.solved_lab import solved  # isort: skip
from lablib.gpu.bench import measured_roofs, median_seconds  # isort: skip

LAB = Path(__file__).parents[1] / "solutions/lab07_flash_attention"
QUOTED = LAB / "assets/h200_kernels.json"

BACKENDS = ("MATH", "EFFICIENT_ATTENTION", "FLASH_ATTENTION", "CUDNN_ATTENTION")
HEADS, D = 64, 128
FORWARD = ((64, 64, 4, 2), (128, 64, 4, 2), (128, 64, 8, 2), (128, 64, 8, 3), (128, 128, 8, 2))
"""BLOCK_M, BLOCK_N, num_warps, num_stages; at D = 128 the second spills, compiled for sm_90 by Triton 3.7."""
WINDOWED = ((16, 64, 4, 2), (32, 64, 8, 2))
"""BLOCK, BLOCK_N, num_warps, num_stages, for four heads of a group."""
BACKWARD = ((64, 4), (64, 8), (32, 4))
"""BLOCK, num_warps; at D = 128 the first spills in `grad_keys`, and the last has too few rows for HGMMA."""

FORWARD_CASE = "forward, causal, 64 heads × 4096 × 128 float16"

Names = dict[str, Any]
Row = dict[str, Any]


def quoted(kernels: Row, lab: Row) -> Row:
    """What the lab shows: of a measurement of every kernel, flash attention's; of this script's, the forward pass."""
    rows = [row for row in kernels["rows"] if row["kernel"].startswith("flash attention")]
    about = {name: kernels[name] for name in ("machine", "versions", "roofs")}
    return {**about, "rows": rows, "attend": lab[FORWARD_CASE]}


def quote() -> None:
    """Write what the lab shows."""
    kernels, lab = (json.loads(result_files.newest(what).read_text()) for what in ("kernels", "lab07"))
    QUOTED.write_text(json.dumps(quoted(kernels, lab), indent=2, ensure_ascii=False) + "\n")


def draw(*shape: int) -> torch.Tensor:
    """Standard normal float16."""
    return torch.randn(shape, device=device.DEVICE, dtype=torch.float16)


def agree(name: str, got: torch.Tensor, want: torch.Tensor, most: float = 4e-3) -> None:
    """Raise where two results differ by more than rounding, or are not finite.

    Raises
    ------
    AssertionError
        With the relative error.
    """
    error = ((got.float() - want.float()).norm() / want.float().norm()).item()
    if not error < most:
        raise AssertionError(f"{name}: relative error {error:.1e}, expected below {most:.0e}; nothing is timed.")


def backend(name: str, *arguments: torch.Tensor, **options: Any) -> torch.Tensor:
    """PyTorch's attention, by one backend alone."""
    from torch.nn.attention import SDPBackend, sdpa_kernel

    with sdpa_kernel(getattr(SDPBackend, name)):
        return torch.nn.functional.scaled_dot_product_attention(*arguments, **options)


def row(name: str, seconds: float, flops: float, **more: Any) -> Row:
    """One measurement."""
    return {"name": name, **more, "seconds": seconds, "flops_per_s": flops / seconds}


def peers(flops: float, *arguments: torch.Tensor, **options: Any) -> Iterator[Row]:
    """Each backend that takes these arguments; one that does not, or has no room, is left out."""
    for name in BACKENDS:
        with suppress(RuntimeError):  # torch.OutOfMemoryError is one
            seconds = median_seconds(partial(backend, name, *arguments, **options))
            yield row(f"SDPA, {name.lower()}", seconds, flops)
        torch.cuda.empty_cache()


def forward_rows(names: Names, S: int) -> list[Row]:
    """Causal attention with a sink, packed; the backends get q, k and v unpacked, and no sink.

    With a sink of -10⁴ the kernel's result is that of PyTorch.
    """
    attend: Callable[..., Any] = names["attend"]
    qkv, sink = draw(S, 3, HEADS, D), torch.full((HEADS,), -1e4, device=device.DEVICE)
    q, k, v = (x[None].contiguous() for x in qkv.permute(1, 2, 0, 3))
    want = backend("FLASH_ATTENTION", q, k, v, is_causal=True)[0].transpose(0, 1)
    flops = 4 * D * HEADS * S * (S + 1) / 2
    rows = []
    for blocks in FORWARD:
        agree(f"attend, {blocks}", attend(qkv, sink, *blocks)[0], want)
        rows.append(row("attend", median_seconds(attend, qkv, sink, *blocks), flops, blocks=blocks))
    return rows + list(peers(flops, q, k, v, is_causal=True))


def window_rows(names: Names, S: int, window: int, group: int = 4) -> list[Row]:
    """Grouped queries under a window; the backends get it as a mask, FlexAttention as a mask of blocks."""
    from torch.nn.attention.flex_attention import create_block_mask, flex_attention

    attend_window: Callable[..., Any] = names["attend_window"]
    q, k, v = draw(HEADS, S, D), draw(HEADS // group, S, D), draw(HEADS // group, S, D)
    positions = torch.arange(S, device=device.DEVICE)
    back = positions[:, None] - positions[None, :]
    mask = (back >= 0) & (back < window)
    flops = 4 * D * HEADS * float(mask.sum())
    blocks_of = create_block_mask(lambda b, h, i, j: (i >= j) & (i - j < window), None, None, S, S)
    flex: Callable[..., Any] = torch.compile(partial(flex_attention, block_mask=blocks_of, enable_gqa=True))
    want = flex(q[None], k[None], v[None])[0]
    rows = []
    for blocks in WINDOWED:
        agree(f"attend_window, {blocks}", attend_window(q, k, v, window, *blocks), want)
        rows.append(row("attend_window", median_seconds(attend_window, q, k, v, window, *blocks), flops, blocks=blocks))
    rows.append(row("FlexAttention", median_seconds(flex, q[None], k[None], v[None]), flops))
    return rows + list(peers(flops, q[None], k[None], v[None], attn_mask=mask, enable_gqa=True))


def backward_rows(names: Names, S: int, cap: float = 50.0) -> list[Row]:
    """The gradients of capped attention, beside a forward and backward pass of FlexAttention with the same cap."""
    from torch.nn.attention.flex_attention import flex_attention

    leaves = [draw(1, HEADS, S, D).requires_grad_() for _ in range(3)]
    do = draw(1, HEADS, S, D)

    def capped(score: torch.Tensor, *_: torch.Tensor) -> torch.Tensor:
        return cap * torch.tanh(score / cap)

    flex: Callable[..., Any] = torch.compile(partial(flex_attention, score_mod=capped, return_lse=True))

    def both() -> list[torch.Tensor]:
        o, lse = flex(*leaves)
        return [o.detach(), lse.detach(), *torch.autograd.grad(o, leaves, do)]

    o, lse, *want = (x[0].contiguous() for x in both())
    q, k, v = (x.detach()[0] for x in leaves)
    flops = 2 * 5 * D * HEADS * float(S) * S  # five products, whatever a kernel computes twice
    rows = []
    for blocks in BACKWARD:
        dq, delta = names["grad_queries"](q, k, v, o, lse, do[0], cap, *blocks)
        found = dq, *names["grad_keys"](q, k, v, lse, delta, do[0], cap, *blocks)
        for name, got, exact in zip(("dq", "dk", "dv"), found, want, strict=True):
            agree(f"{name}, {blocks}", got, exact, most=2e-2)
        seconds = median_seconds(names["grad_queries"], q, k, v, o, lse, do[0], cap, *blocks)
        seconds += median_seconds(names["grad_keys"], q, k, v, lse, delta, do[0], cap, *blocks)
        rows.append(row("grad_queries and grad_keys", seconds, flops, blocks=blocks))
    forward = median_seconds(lambda: flex(*leaves))
    return [*rows, row("FlexAttention, both passes less forward", median_seconds(both) - forward, flops)]


def main(path: Path | None = None) -> None:
    """Check, measure, and write ``path``."""
    if device.INTERPRETED:
        raise SystemExit("benchmarks.lab07 needs a GPU: the interpreter's times say nothing about a kernel.")
    names, tests = solved(load(LAB / f"{LAB.name}.py"))
    result = {
        **result_files.gpu(),
        "tests": tests,
        "roofs": measured_roofs(),
        FORWARD_CASE: forward_rows(names, 4096),
        "window of 1024, 64/16 heads × 8192 × 128 float16": window_rows(names, 8192, 1024),
        "backward, all keys, 64 heads × 2048 × 128 float16": backward_rows(names, 2048),
    }
    print(result_files.write(result, result_files.gpu_slug(), "lab07", path))


if __name__ == "__main__":
    if sys.argv[1:] == ["quote"]:
        quote()
    else:
        main(*map(Path, sys.argv[1:2]))
