"""Matrix product by persistent programs and tensor descriptors."""

from __future__ import annotations

import torch

from lablib import device
from lablib.kernels.matmul_persistent import TUNED, matmul_persistent, matmul_persistent_reference

from ..case import Build, Case, Refused

SMALL = {**TUNED.configuration("small"), "BLOCK_M": 32, "BLOCK_N": 32, "BLOCK_K": 32, "GROUP_M": 2}
HALF = (torch.float16,)


def _drawn(M: int, N: int, K: int, a_by_columns: bool, b_by_columns: bool):
    """Matrices whose last rows and columns lie in tiles that are not full."""

    def draw(rng, dtype: torch.dtype) -> tuple:
        a = rng.normal(K, M, dtype=dtype).T if a_by_columns else rng.normal(M, K, dtype=dtype)
        b = rng.normal(N, K, dtype=dtype).T if b_by_columns else rng.normal(K, N, dtype=dtype)
        return a, b

    return draw


CASES = [
    Case(
        f"persistent matmul {M} × {N} × {K}, {'column' if a else 'row'}-major times {'column' if b else 'row'}-major",
        matmul_persistent,
        matmul_persistent_reference,
        _drawn(M, N, K, a, b),
        options={"configuration": {**SMALL, "STORES": stores}},
        usual=torch.matmul,
        dtypes=HALF,
        gradients=gradients,
    )
    for M, N, K, a, b, stores, gradients in [
        (8, 8, 8, False, False, 1, ()),
        (72, 104, 40, False, False, 1, (0, 1)),
        (72, 104, 40, True, True, 2, (0, 1)),
        (40, 72, 104, False, True, 2, ()),
        (40, 72, 104, True, False, 1, ()),
    ]
]
CASES += [
    Case(
        f"persistent matmul as tuned for {size} products, of slices",
        matmul_persistent,
        matmul_persistent_reference,
        lambda rng, dtype: (rng.normal(200, 88, dtype=dtype)[:, 8:80], rng.normal(72, 272, dtype=dtype)),
        options={"configuration": TUNED.configuration(size)},
        usual=torch.matmul,
        dtypes=HALF,
    )
    for size in ("small", "large")
]


def _halves(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float16, device=device.DEVICE)


REFUSED = [
    Refused(matmul_persistent, lambda: (_halves(8, 16), _halves(8, 16)), r"it got torch.float16 \(8, 16\)"),
    Refused(matmul_persistent, lambda: (_halves(8, 8).float(), _halves(8, 8).float()), "it got torch.float32"),
    Refused(matmul_persistent, lambda: (_halves(8, 9), _halves(9, 8)), r"strides \(9, 1\) and \(8, 1\), K = 9, N = 8"),
    Refused(matmul_persistent, lambda: (_halves(8, 8)[:, ::2], _halves(4, 8)), r"strides \(8, 2\)"),
    Refused(matmul_persistent, lambda: (_halves(8, 8), _halves(4, 8).T), "N = 4: matmul_grouped takes any"),
]

BUILDS = [
    Build(
        f"persistent matmul of 8192, tuned for {gpu}",
        lambda gpu=gpu, triton=triton: matmul_persistent(
            *torch.empty(2, 8192, 8192, dtype=torch.float16, device="meta"), TUNED.table[gpu, triton]["large"]
        ),
        "_matmul_persistent_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=(gpu,),
    )
    for gpu, triton in TUNED.table
]
