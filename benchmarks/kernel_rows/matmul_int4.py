"""Matrix product with weights of four bits."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F

from benchmarks.kernel_row import Row
from lablib.kernels.matmul_int4 import dequantize_int4, matmul_int4, matmul_int4_cost, quantize_int4

GROUP = 128


def rows() -> Iterator[Row]:
    for M, least in ((1, 3.0), (16, 2.3), (64, None)):
        yield _row(M, 28672, 8192, {"bf16": least} if least else {})
    yield _row(1, 4096, 1024, {"bf16": 1 / 1.1}, graph=True)


def _row(M: int, N: int, K: int, least_of_peer: dict[str, float], graph: bool = False) -> Row:
    x = torch.randn(M, K, device="cuda", dtype=torch.bfloat16)
    packed, scales = quantize_int4(torch.randn(N, K, device="cuda", dtype=torch.bfloat16), GROUP)
    weight = dequantize_int4(packed, scales)
    # torch's own kernel for four bits wants another order and zero points; the numbers do not matter for its time.
    pairs = torch.randint(0, 256, (N, K // 2), device="cuda", dtype=torch.uint8)
    theirs = torch.ops.aten._convert_weight_to_int4pack(pairs, 8)
    scales_and_zeros = torch.rand(K // GROUP, N, 2, device="cuda", dtype=torch.bfloat16)
    cost = matmul_int4_cost(M, N, K, GROUP)
    written = 2 * M * N
    return Row(
        "matmul_int4",
        f"{M} × {N} × {K}, groups of {GROUP}" + (", in a graph" if graph else ""),
        ours=lambda: matmul_int4(x, packed, scales),
        peers={
            "bf16": lambda: F.linear(x, weight),
            "_weight_int4pack_mm": lambda: torch.ops.aten._weight_int4pack_mm(x, theirs, GROUP, scales_and_zeros),
        },
        exact=lambda: F.linear(x.float(), dequantize_int4(packed, scales.float())),
        usual="bf16",
        flops=cost.flops,
        reads=cost.bytes - written,
        writes=written,
        least_of_peer=least_of_peer,
        cause="Instructions bind, not memory: 18 to 24 for a word of eight weights, issued in 60% of cycles. Tried: "
        "tiles of 64 to 256, unrolling (no gain), scales loaded ahead, tiles contiguous in memory (0.052 ms), three "
        "instructions fewer a word (0.044), two to seven splits along K (0.041 to 0.044), fewer registers (no gain).",
        graph=graph,
    )
