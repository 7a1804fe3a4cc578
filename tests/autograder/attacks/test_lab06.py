"""Attacks on a real lab's kernels: each fakes what its exercise is about."""

from __future__ import annotations

import pytest

from .conftest import solution

# The exercise, and what replaces a part of its solution (or, with None, what is added to it).
ATTACKS = {
    "softmax in two passes, with a tracer that counts one": ("softmax_t", [
        ("    x = tl.load(", "    largest = tl.max(tl.load(x_ptr + row * row_stride + columns, mask=inside, other=float('-inf')), axis=0)\n    x = tl.load("),
        (None, "from lablib.gpu.traffic import Trace\nhonest = Trace.moved\n"
         "Trace.moved = lambda self, op, buffer=None: honest(self, op, buffer) // (2 if op == 'load' else 1)"),
    ]),
    "softmax by torch, carried by a kernel that copies": ("softmax_t", [
        ("    _softmax_t_kernel[(M,)](x, y, x.stride(0),",
         "    import numpy as np\n    a = np.array(x, dtype=np.float64) / temperature\n"
         "    e = np.exp(a - a.max(1, keepdims=True))\n"
         "    x = torch.from_numpy((e / e.sum(1, keepdims=True))).to(x.dtype)\n"
         "    _softmax_t_kernel[(M,)](x, y, x.stride(0),"),
        ("    z = x.to(tl.float32) * inverse_temperature\n    z = tl.exp(z - tl.max(z, axis=0))\n    y = z / tl.sum(z, axis=0)\n",
         "    y = x\n"),
    ]),
    "softmax without the maximum": ("softmax_t", [("z - tl.max(z, axis=0)", "z")]),
    "softmax rounded in the middle": ("softmax_t", [("tl.exp(z - tl.max(z, axis=0))", "tl.exp(z - tl.max(z, axis=0)).to(x.dtype).to(tl.float32)")]),
    "softmax that a second launch repairs": ("softmax_t", [
        ("    return y", "    _softmax_t_kernel[(M,)](x, y, x.stride(0), N, 1.0 / temperature, BLOCK_N=BLOCK_N, num_warps=8)\n    return y")]),
    "strides removed by a copy": ("scale_add", [("    M, N = x.shape\n", "    x, y = x.contiguous(), y.contiguous()\n    M, N = x.shape\n")]),
    "strides removed by a copy that no log tells": ("scale_add", [
        ("    M, N = x.shape\n",
         "    import numpy as np\n    x, y = (torch.from_numpy(np.ascontiguousarray(t.numpy())) for t in (x, y))\n    M, N = x.shape\n")]),
    "a sum in float16": ("linear", [
        ("dtype=tl.float32)\n    for", "dtype=tl.float16)\n    for"),
        ("acc = tl.dot(x_tile, w_tile, acc)", "acc = (acc + tl.dot(x_tile, w_tile)).to(tl.float16)"),
    ]),
    "a product by torch, carried by the launcher's memory": ("linear", [
        ("    return y", "    y.numpy()[:] = (x.numpy() @ w.numpy().T)\n    return y"),
        ("acc = tl.dot(x_tile, w_tile, acc)", "acc = acc + 0 * tl.sum(x_tile) + 0 * tl.sum(w_tile)"),
    ]),
    "a product by torch, in a log that claims a kernel": ("linear", [
        ("    return y", "    from torch.utils._python_dispatch import _disable_current_modes\n"
         "    with _disable_current_modes():\n        y.copy_(x.float() @ w.float().T)\n    return y"),
        ("acc = tl.dot(x_tile, w_tile, acc)", "acc = acc + 0 * tl.sum(x_tile) + 0 * tl.sum(w_tile)"),
    ]),
    "an epilogue in torch": ("linear_silu", [("    return y", "    return torch.nn.functional.silu(y)")]),
    "an epilogue in a kernel of its own": ("linear_silu", [
        ("    return y", "    _linear_silu_kernel[grid](x, w, bias, residual, y, M, N, K, BLOCK_M=32, BLOCK_N=32, BLOCK_K=32)\n    return y")]),
    "a sum of parts by atomic additions": ("linear_split_k", [
        ("acc += tl.load(part_ptr + split * count + offsets, mask=inside, other=0.0)",
         "acc += tl.atomic_add(part_ptr + split * count + offsets, 0.0, mask=inside)")]),
    "all the work in the first part": ("linear_split_k", [
        ("start = part * part_length", "start = tl.where(part == 0, 0, K)"),
        ("end = tl.minimum(start + part_length, K)", "end = K"),
    ]),
    "an order from a list, in memory of which nothing is zeroed": ("serpentine_tile", [(None, """
@triton.jit
def _copy_kernel(a_ptr, b_ptr, row_ptr, column_ptr, count, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    tl.store(row_ptr + lanes, tl.load(a_ptr + lanes, mask=lanes < count), mask=lanes < count)
    tl.store(column_ptr + lanes, tl.load(b_ptr + lanes, mask=lanes < count), mask=lanes < count)


def program_order(tiles_m, tiles_n, GROUP_M):
    order = []
    for first in range(0, tiles_m, GROUP_M):
        rows = range(first, min(first + GROUP_M, tiles_m))
        columns = range(tiles_n) if first // GROUP_M % 2 == 0 else reversed(range(tiles_n))
        order += [(i, j) for j in columns for i in rows]
    a, b = (torch.tensor(part, dtype=torch.int32) for part in zip(*order, strict=True))
    a[:0].zero_(), b[:0].zero_()
    row, column = torch.empty_like(a), torch.empty_like(b)
    _copy_kernel[(1,)](a, b, row, column, len(order), BLOCK=triton.next_power_of_2(len(order)))
    return row, column
""")]),
    "a prediction that equals everything": ("predict_l2_tiles", [
        (None, "\n\nclass Anything(int):\n    __eq__ = lambda self, other: True\n\n\ndef predict_l2_tiles(*sizes):\n    return Anything()")]),
    "a prediction in floating point": ("predict_l2_tiles", [("* k_tiles", "* k_tiles * 1.0")]),
    "a prediction that runs the judge's own model": ("predict_l2_tiles", [
        (None, "\n\ndef predict_l2_tiles(tiles_m, tiles_n, k_tiles, in_flight, GROUP_M):\n    import autograder.judge\n    return 216")]),
    "a diagnosis of every fault at once": ("diagnose", [
        (None, "\n\nclass Fault(str):\n    __eq__ = lambda self, other: True\n    __hash__ = str.__hash__\n\n\ndef diagnose(c):\n    return Fault()")]),
    "a diagnosis learnt from the four that are shown": ("diagnose", [
        (None, "\n\nseen = []\n\n\ndef diagnose(c):\n    seen.append(c)\n"
         "    return ['healthy', 'reloads', 'strided', 'idle lanes'][len(seen) - 1 & 3]")]),
    "a tile that says that it is large": ("choose_tile", [
        (None, "\n\nclass Large(int):\n    __ge__ = lambda self, other: True\n    __mul__ = __add__ = lambda self, other: Large(10**6)\n\n\n"
         "def choose_tile(target):\n    return {'BLOCK_M': Large(16), 'BLOCK_N': 16, 'BLOCK_K': 32, 'num_warps': 4, 'num_stages': 3}")]),
}  # fmt: skip


@pytest.mark.parametrize("name", ATTACKS)
def test_a_faked_exercise_earns_nothing_and_costs_no_other(bar, lab06, name: str) -> None:
    cell, changes = ATTACKS[name]
    answer = solution(lab06)[cell]
    for old, new in changes:
        assert old is None or old in answer
        answer = answer.replace(old, new) if old is not None else f"{answer}\n{new}\n"
    test, neighbour = f"test_{cell}", "test_diagnose" if cell == "predict_l2_tiles" else "test_predict_l2_tiles"
    scores = bar.scores({cell: answer}, frozenset({test, neighbour}), lab=lab06)
    assert scores == {test: 0.0, neighbour: lab06.cell(neighbour).points}
