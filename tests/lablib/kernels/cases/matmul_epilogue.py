"""Matrix product with bias, activation and residual."""

from __future__ import annotations

import torch

from lablib import device
from lablib.check.random import Rng
from lablib.kernels.matmul_epilogue import TUNED, matmul_epilogue, matmul_epilogue_reference

from ..case import Build, Case, Refused

SMALL = {**TUNED.configuration("any"), "BLOCK_M": 32, "BLOCK_N": 64, "BLOCK_K": 32, "GROUP_M": 2}


def _drawn(rng: Rng, dtype: torch.dtype, M: int = 40, N: int = 72, K: int = 48) -> tuple:
    return tuple(rng.normal(*shape, dtype=dtype) for shape in ((M, K), (K, N), (N,), (M, N)))


def _case(
    what: str,
    activation: str,
    draw=_drawn,
    parts: int = 2,
    gradients: tuple[int, ...] = (),
    options: dict | None = None,
) -> Case:
    return Case(
        f"epilogue: {what}",
        matmul_epilogue,
        matmul_epilogue_reference,
        draw,
        keywords={"activation": activation},
        options={"configuration": {**SMALL, "PARTS": parts}} if options is None else options,
        dtypes=(torch.float16,),
        gradients=gradients,
    )


CASES = [
    _case("nothing", "none", lambda rng, dtype: _drawn(rng, dtype, 8, 8, 8)[:2]),
    _case("bias, GELU, residual", "gelu", gradients=(0, 1, 2, 3)),
    _case(
        "ReLU, residual", "relu", lambda rng, dtype: (*_drawn(rng, dtype)[:2], None, _drawn(rng, dtype)[3]), 4, (0, 3)
    ),
    _case("bias", "none", lambda rng, dtype: _drawn(rng, dtype)[:3], 4, (2,)),
    _case("GELU far out", "gelu", lambda rng, dtype: tuple(30 * one for one in _drawn(rng, dtype)[:3])),
    _case(
        "stored by columns",
        "gelu",
        lambda rng, dtype: (rng.normal(48, 40, dtype=dtype).T, rng.normal(72, 48, dtype=dtype).T),
    ),
    _case("as tuned", "gelu", lambda rng, dtype: _drawn(rng, dtype, 136, 136, 72), options={}),
]


def _halves(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.float16, device=device.DEVICE)


X = _halves(8, 8)
REFUSED = [
    Refused(matmul_epilogue, lambda: (_halves(8, 16), X), r"it got torch.float16 \(8, 16\)"),
    Refused(matmul_epilogue, lambda: (X, X, _halves(7)), r"takes 8 biases of torch.float16; it got .* \(7,\)"),
    Refused(matmul_epilogue, lambda: (X, X, None, _halves(8, 16)[:, ::2]), r"\(8, 8\) with strides \(16, 2\)"),
    Refused(matmul_epilogue, lambda: (X, X), "none, relu, gelu; it got 'tanh'", {"activation": "tanh"}),
]


def _large(M: int, N: int, K: int) -> torch.Tensor:
    a, b, bias, residual = (
        torch.empty(shape, dtype=torch.float16, device="meta") for shape in ((M, K), (K, N), (N,), (M, N))
    )
    return matmul_epilogue(a, b, bias, residual, "gelu")


BUILDS = [
    Build(
        "bias, GELU and residual of 8192",
        lambda: _large(8192, 8192, 1024),
        "_matmul_epilogue_kernel",
        instructions={"sm_90": "HGMMA", "sm_100": "UTCHMMA"},
        targets=("sm_90", "sm_100"),
    )
]
