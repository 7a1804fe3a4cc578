"""Every reference kernel agrees with its oracle, moves what its cost model says, and refuses what it cannot do."""

from __future__ import annotations

import pytest
import torch

from lablib import check, device
from lablib.kernels.elementwise import add, add_cost, add_reference
from lablib.kernels.matmul import matmul, matmul_cost, matmul_reference
from lablib.kernels.softmax import softmax, softmax_cost, softmax_reference


@pytest.mark.parametrize("shape", [(1,), (1023,), (5, 123), (3, 4, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_add(shape, dtype) -> None:
    x, y = check.rng.normal(*shape, dtype=dtype), check.rng.normal(*shape, dtype=dtype)
    cost = add_cost(x.numel(), x.element_size())
    z = check.traffic(add, x, y, loads=2 * x.nbytes, stores=x.nbytes)
    assert cost.bytes == 3 * x.nbytes and cost.flops == x.numel()
    check.close(z, add_reference(x, y))


@pytest.mark.parametrize(("M", "N"), [(1, 1), (5, 123), (2, 4097)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_softmax(M, N, dtype) -> None:
    x = check.rng.normal(M, N + 3, dtype=dtype)[:, 2 : N + 2]
    y = check.traffic(softmax, x, loads=M * N * x.element_size(), stores=M * N * x.element_size())
    check.close(y, softmax_reference(x.float()).to(dtype))
    assert softmax_cost(M, N, x.element_size()).bytes == 2 * M * N * x.element_size()


def test_softmax_of_large_and_masked_scores() -> None:
    x = 300 * check.rng.normal(3, 50)
    x[:, 10:20] = float("-inf")
    check.close(softmax(x), torch.softmax(x, -1))


@pytest.mark.parametrize(("M", "N", "K"), [(16, 16, 16), (33, 70, 45), (1, 5, 123)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_matmul(M, N, K, dtype) -> None:
    a, b = check.rng.normal(K, M, dtype=dtype).T, check.rng.normal(K, 2 * N, dtype=dtype)[:, ::2]
    loads = a.element_size() * K * (M * -(-N // 32) + N * -(-M // 32))
    c = check.traffic(matmul, a, b, 32, 32, 32, loads=loads, stores=M * N * a.element_size())
    check.close(c, matmul_reference(a, b))
    assert matmul_cost(M, N, K, a.element_size()).flops == 2 * M * N * K


@pytest.mark.parametrize(
    ("function", "shapes", "message"),
    [
        (add, [(3,), (4,)], r"one shape and dtype; it got torch.float32 \(3,\)"),
        (softmax, [(3,)], r"takes a matrix .* it got shape \(3,\)"),
        (softmax, [(1, 65537)], "at most 65536 elements"),
        (matmul, [(3, 4), (3, 4)], r"it got torch.float32 \(3, 4\) and torch.float32 \(3, 4\)"),
    ],
)
def test_bad_shapes_get_a_sentence(function, shapes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function(*(torch.zeros(s, device=device.DEVICE) for s in shapes))


@pytest.mark.parametrize(("function", "count"), [(add, 2), (softmax, 1)])
def test_strides_that_a_kernel_cannot_follow_are_refused(function, count) -> None:
    x = torch.zeros(4, 6, device=device.DEVICE).T
    with pytest.raises(ValueError, match="strides"):
        function(*[x] * count)


@pytest.mark.skipif(not device.INTERPRETED, reason="a GPU computes in bfloat16")
@pytest.mark.parametrize("function", [add, matmul])
def test_bfloat16_is_refused_where_it_would_be_wrong(function) -> None:
    x = torch.ones(16, 16, dtype=torch.bfloat16)
    with pytest.raises(ValueError, match="cannot compute in bfloat16 without a GPU"):
        function(x, x)


def test_softmax_of_bfloat16() -> None:
    x = check.rng.normal(3, 50, dtype=torch.bfloat16)
    check.close(softmax(x), torch.softmax(x.float(), -1).bfloat16())
