"""Matrix product with bias, activation and residual in one kernel.

    Y[m, n] = f(sum_k A[m, k] · B[k, n] + bias[n]) + R[m, n],   f nothing, ReLU or GELU, computed in float32

    by a library       A·B ──> memory ──> + bias, f, + R ──> memory         4 · M · N elements
    here               A·B, + bias, f, + R in registers ──> memory          2 · M · N elements (R read, Y written)

GELU is the usual approximation, z · sigmoid(√(8/π) · (z + 0.044715 · z³)), which equals the one by tanh.

The finish costs time in which the matrix units stand still. So tiles are small enough for two programs on a
multiprocessor, of which one may finish while the other multiplies. And a tile is finished in column parts, which keeps
few of its float32 values in registers and needs only a small buffer for R and Y.

Binding roof: matrix throughput for large K; memory bandwidth for K below about 330 on an H200.

Measured on an H200 (torch 2.11, Triton 3.6), bfloat16, M = N = 8192, bias, GELU and residual: 0.269 ms for K = 1024,
1.10 times as fast as torch.compile (0.296) and its max-autotune (0.295), and 1.16 times as `torch._addmm_activation`
with R added after (0.313). For K = 512 0.182 ms, 1.15, 1.15 and 1.27 times as fast. These are 0.66 and 0.49 of the
roof: the finish is nineteen instructions an element, two of them special functions, and the other program's product
hides it in part only. In tuning runs the division by two reciprocal roots and the sum that starts at the bias brought
0.292 to 0.271 ms, eight warps 0.266, groups of 16 tiles 0.261. Fetching R before the product, or starting the two
programs half a tile apart, gained nothing.

Source: fused epilogues are those of NVIDIA's CUTLASS ("Efficient GEMM in CUTLASS", section "Epilogue"); GELU,
Hendrycks and Gimpel, arXiv:1606.08415, section 2.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from lablib import device  # noqa: F401  (before triton)
from lablib.gpu.cost import Cost
from lablib.kernels.descriptors import fits_descriptor, halves, matrix_descriptor, rows_fit
from lablib.kernels.matmul_persistent import check_product, matmul_persistent
from lablib.kernels.schedule import grouped_tile
from lablib.kernels.tuned import Configuration, Tuned

import triton  # isort: skip
import triton.language as tl  # isort: skip

__all__ = ["ACTIVATIONS", "matmul_epilogue", "matmul_epilogue_cost", "matmul_epilogue_reference"]

ACTIVATIONS = ("none", "relu", "gelu")

TUNED = Tuned(
    {
        ("sm_90", "3.6"): {
            "any": {
                "BLOCK_M": 128, "BLOCK_N": 128, "BLOCK_K": 64, "GROUP_M": 16, "PARTS": 2,
                "num_warps": 8, "num_stages": 3,
            }
        }
    }
)  # fmt: skip


def matmul_epilogue_reference(
    a: torch.Tensor,
    b: torch.Tensor,
    bias: torch.Tensor | None = None,
    residual: torch.Tensor | None = None,
    activation: str = "none",
) -> torch.Tensor:
    """The same in plain torch."""
    z = a @ b if bias is None else a @ b + bias
    y = {"none": z, "relu": z.relu(), "gelu": F.gelu(z, approximate="tanh")}[activation]
    return y if residual is None else y + residual


def matmul_epilogue_cost(M: int, N: int, K: int, itemsize: int, residual: bool = True) -> Cost:
    """Least cost: every operand read once, the result written once."""
    return Cost(flops=2 * M * N * K, bytes=(M * K + K * N + N + (2 if residual else 1) * M * N) * itemsize)


@triton.jit
def _activated(z, ACTIVATION: tl.constexpr):
    if ACTIVATION == "relu":
        z = tl.where(z < 0, 0.0, z)  # NaN stays
    elif ACTIVATION == "gelu":
        # sigmoid(t) = 1 / (1 + 2^(-t log2 e)), by two reciprocal roots, for a division is eight instructions. At most
        # 2^126: the power stays finite, and what is left of z is nothing.
        root = tl.rsqrt(1 + tl.exp2(tl.minimum(-z * (2.302208198144325 + 0.10294323460816097 * z * z), 126.0)))
        z = z * root * root
    return z


@triton.jit
def _finish(acc, residual_desc, y_desc, row, column, ACTIVATION: tl.constexpr):
    """Finish and store one part of a tile."""
    y = _activated(acc, ACTIVATION)
    if residual_desc is not None:
        y += residual_desc.load([row, column]).to(tl.float32)
    y_desc.store([row, column], y.to(y_desc.dtype))


@triton.jit
def _matmul_epilogue_kernel(
    a_desc, b_desc, bias_ptr, residual_desc, y_desc, M, N, K,
    A_TRANSPOSED: tl.constexpr, B_TRANSPOSED: tl.constexpr, ACTIVATION: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr, PARTS: tl.constexpr,
):  # fmt: skip
    tile_m, tile_n = grouped_tile(tl.program_id(0), tl.cdiv(M, BLOCK_M), tl.cdiv(N, BLOCK_N), GROUP_M)
    row, column = tile_m * BLOCK_M, tile_n * BLOCK_N
    acc = tl.zeros((BLOCK_M, BLOCK_N), dtype=tl.float32)
    if bias_ptr is not None:  # the sum starts at the bias, so that the finish need not add it
        columns = column + tl.arange(0, BLOCK_N)
        acc += tl.load(bias_ptr + columns, mask=columns < N, other=0.0).to(tl.float32)[None, :]
    for k in range(0, K, BLOCK_K):
        a = a_desc.load([k, row]).T if A_TRANSPOSED else a_desc.load([row, k])
        b = b_desc.load([column, k]).T if B_TRANSPOSED else b_desc.load([k, column])
        acc = tl.dot(a, b, acc)
    WIDTH: tl.constexpr = BLOCK_N // PARTS
    left, right = halves(acc)
    if PARTS == 2:
        _finish(left, residual_desc, y_desc, row, column, ACTIVATION)
        _finish(right, residual_desc, y_desc, row, column + WIDTH, ACTIVATION)
    else:
        first, second = halves(left)
        _finish(first, residual_desc, y_desc, row, column, ACTIVATION)
        _finish(second, residual_desc, y_desc, row, column + WIDTH, ACTIVATION)
        third, fourth = halves(right)
        _finish(third, residual_desc, y_desc, row, column + 2 * WIDTH, ACTIVATION)
        _finish(fourth, residual_desc, y_desc, row, column + 3 * WIDTH, ACTIVATION)


def _layer(
    a: torch.Tensor,
    b: torch.Tensor,
    bias: torch.Tensor | None,
    residual: torch.Tensor | None,
    activation: str,
    configuration: Configuration | None,
) -> torch.Tensor:
    (M, K), N = a.shape, b.shape[1]
    y = torch.empty((M, N), dtype=a.dtype, device=a.device)

    def launch(found: Configuration) -> None:
        BLOCK_M, BLOCK_N, BLOCK_K = (found[f"BLOCK_{axis}"] for axis in "MNK")
        a_desc, a_transposed = matrix_descriptor(a, BLOCK_M, BLOCK_K)
        b_desc, b_transposed = matrix_descriptor(b, BLOCK_K, BLOCK_N)
        width = BLOCK_N // found["PARTS"]
        residual_desc = None if residual is None else matrix_descriptor(residual, BLOCK_M, width)[0]
        y_desc, _ = matrix_descriptor(y, BLOCK_M, width)
        _matmul_epilogue_kernel[(triton.cdiv(M, BLOCK_M) * triton.cdiv(N, BLOCK_N),)](
            a_desc, b_desc, bias, residual_desc, y_desc, M, N, K,
            A_TRANSPOSED=a_transposed, B_TRANSPOSED=b_transposed, ACTIVATION=activation, **found,
        )  # fmt: skip

    launch(configuration or TUNED.configuration("any", launch))
    return y


class _Layer(torch.autograd.Function):
    """With Z = A·B + bias:  dR = dY,  dZ = dY · f'(Z),  dA = dZ · Bᵀ,  dB = Aᵀ · dZ,  dbias = sum of dZ's rows.

    Z is computed again: that is one product more, and M · N elements less to keep.
    """

    @staticmethod
    def forward(
        ctx: Any, a: Any, b: Any, bias: Any, residual: Any, activation: str, configuration: Any
    ) -> torch.Tensor:
        ctx.save_for_backward(a, b, bias)
        ctx.activation, ctx.configuration = activation, configuration
        return _layer(a, b, bias, residual, activation, configuration)

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        a, b, bias = ctx.saved_tensors
        dy = dz = upstream[0]
        if ctx.activation != "none":
            z = _layer(a, b, bias, None, "none", ctx.configuration)
            gelu = ctx.activation == "gelu"
            dz = torch.ops.aten.gelu_backward(dy, z, approximate="tanh") if gelu else dy * (z > 0)
        dz = dz if fits_descriptor(dz) else dz.contiguous()
        needs = ctx.needs_input_grad
        return (
            matmul_persistent(dz, b.T) if needs[0] else None,
            matmul_persistent(a.T, dz) if needs[1] else None,
            dz.sum(0) if needs[2] else None,
            dy if needs[3] else None,
            None,
            None,
        )


def matmul_epilogue(
    a: torch.Tensor,
    b: torch.Tensor,
    bias: torch.Tensor | None = None,
    residual: torch.Tensor | None = None,
    activation: str = "none",
    configuration: Configuration | None = None,
) -> torch.Tensor:
    """``activation(a @ b + bias) + residual``, with gradients.

    Parameters
    ----------
    a
        Shape (M, K), float16 or bfloat16, unit stride along one axis, along the other a multiple of 8 elements.
    b
        Shape (K, N), dtype of ``a``, strides likewise; N and K multiples of 8.
    bias
        Shape (N,), dtype of ``a``, contiguous.
    residual
        Shape (M, N), dtype of ``a``, unit stride along N, along M a multiple of 8 elements.
    activation
        ``"none"``, ``"relu"`` or ``"gelu"`` (by tanh).
    configuration
        BLOCK_M, BLOCK_N, BLOCK_K, GROUP_M, PARTS (2 or 4), num_warps and num_stages in place of the tuned ones.

    Returns
    -------
    torch.Tensor
        Shape (M, N), dtype of ``a``, contiguous.

    Raises
    ------
    ValueError
        If the arguments are not such, or they are bfloat16 and there is no GPU.

    Examples
    --------
    >>> a = torch.eye(16, dtype=torch.float16, device=device.DEVICE)
    >>> matmul_epilogue(a, -a, bias=a[0], residual=a, activation="relu")[:2, :3].tolist()
    [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    check_product("matmul_epilogue", a, b)
    M, N = a.shape[0], b.shape[1]
    if bias is not None and (bias.shape != (N,) or bias.dtype != a.dtype or not bias.is_contiguous()):
        raise ValueError(f"matmul_epilogue takes {N} biases of {a.dtype}; it got {bias.dtype} {tuple(bias.shape)}.")
    if residual is not None and (residual.shape != (M, N) or residual.dtype != a.dtype or not rows_fit(residual)):
        raise ValueError(
            f"matmul_epilogue takes a residual of {a.dtype}, shape ({M}, {N}), by rows and 16-byte aligned; it got "
            f"{residual.dtype} {tuple(residual.shape)} with strides {residual.stride()}."
        )
    if activation not in ACTIVATIONS:
        raise ValueError(f"matmul_epilogue knows the activations {', '.join(ACTIVATIONS)}; it got {activation!r}.")
    return _Layer.apply(a, b, bias, residual, activation, configuration)  # pyright: ignore[reportReturnType]
