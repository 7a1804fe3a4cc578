"""The traffic check lets a kernel through that does the work, and nothing that only looks like it."""

from __future__ import annotations

import threading

import pytest
import torch
from torch.utils._python_dispatch import _disable_current_modes

from lablib import check, device
from lablib.gpu.errors import KernelError
from lablib.kernels.elementwise import add
from lablib.kernels.softmax import softmax

import triton  # isort: skip
import triton.language as tl  # isort: skip


def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    return check.rng.normal(100), check.rng.normal(100)


@triton.jit
def _add_in_place_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + lanes, mask=lanes < n, other=0.0)
    y = tl.load(y_ptr + lanes, mask=lanes < n, other=0.0)
    tl.store(x_ptr + lanes, x + y, mask=lanes < n)


def add_in_place(x, y):
    _add_in_place_kernel[(1,)](x, y, x.numel(), BLOCK=128)
    return x


def add_half(x, y):
    z = torch.empty_like(x)
    n = x.numel() // 2
    z[:n].copy_(add(x[:n], y[:n]))
    return z


def add_unwritten(x, y):
    add(x, y)
    return torch.empty_like(x)


def test_returns_the_result_of_an_honest_kernel() -> None:
    x, y = inputs()
    z = check.traffic(add, x, y, loads=800, stores=400, atomics=0, launches=1, programs=1)
    check.close(z, x + y)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x, y: x + y, "launched no Triton kernel"),
        (lambda x, y: add(x, y) + 0, r"calls torch for work \(add\)"),
        (lambda x, y: add(x, y).cpu().clone(), r"calls torch for work \(clone\)"),
        (lambda x, y: add(add(x, y), y), "loaded 1,600 bytes, expected 800"),
        (add_in_place, "modified its argument 0"),
        (add_half, r"calls torch for work \(copy_\)"),
        (add_unwritten, "elements that no kernel wrote"),
    ],
)
def test_refuses_what_only_looks_like_a_kernel(function, message: str) -> None:
    x, y = inputs()
    if device.INTERPRETED or "clone" not in message:
        with pytest.raises(AssertionError, match=message):
            check.traffic(function, x, y, loads=800, stores=400)


@pytest.mark.skipif(not device.INTERPRETED, reason="a GPU tensor has no numpy view")
def test_refuses_a_result_overwritten_through_numpy() -> None:
    def overwrite(x, y):
        z = add(x, y)
        z.numpy()[:] = x.numpy() + y.numpy() + 1
        return z

    with pytest.raises(AssertionError, match="changed after the last kernel had written it"):
        check.traffic(overwrite, *inputs())


@triton.jit
def _copy_kernel(x_ptr, z_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    tl.store(z_ptr + lanes, tl.load(x_ptr + lanes, mask=lanes < n, other=0.0), mask=lanes < n)


def copied(t: torch.Tensor) -> torch.Tensor:
    z = torch.empty_like(t)
    _copy_kernel[(1,)](t, z, t.numel(), BLOCK=128)
    return z


def numpy_then_copy(x, y):
    return copied(torch.from_numpy(x.numpy() + y.numpy()))


def thread_then_copy(x, y):
    found = []
    thread = threading.Thread(target=lambda: found.append(x + y))
    thread.start()
    thread.join()
    return copied(found[0])


def unwatched_then_copy(x, y):
    with _disable_current_modes():
        z = x + y
    return copied(z)


def torch_in_the_grid(x, y):
    z = torch.empty_like(x)
    kept = []

    def grid(arguments):
        kept.append(x + y)
        return (1,)

    _copy_kernel[grid](x, z, x.numel(), BLOCK=128)
    return copied(kept[0])


def filled_then_copied_onto_itself(x, y):
    z = torch.empty_like(x)
    z.numpy()[:] = x.numpy() + y.numpy()
    _copy_kernel[(1,)](z, z, z.numel(), BLOCK=128)
    return z


def cheat():
    z, x, y = secret
    z.copy_(x + y)


secret = []


@triton.jit
def _cheating_kernel(x_ptr, z_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    tl.store(z_ptr + lanes, tl.load(x_ptr + lanes, mask=lanes < n, other=0.0), mask=lanes < n)
    cheat()


def torch_in_the_kernel(x, y):
    z = torch.empty_like(x)
    secret[:] = z, x, y
    _cheating_kernel[(1,)](x, z, x.numel(), BLOCK=128)
    return z


@pytest.mark.skipif(not device.INTERPRETED, reason="these tricks need memory that numpy and torch share")
@pytest.mark.parametrize(
    ("function", "message"),
    [
        (numpy_then_copy, "loads from x_ptr, which is neither an argument of the function nor written by a kernel"),
        (thread_then_copy, "which is neither an argument"),
        (unwatched_then_copy, "which is neither an argument"),
        (torch_in_the_grid, r"calls torch for work \(add\)"),
        (filled_then_copied_onto_itself, "which is neither an argument"),
        (torch_in_the_kernel, "its kernel _cheating_kernel uses cheat, which no GPU has"),
    ],
)
def test_a_kernel_that_copies_the_work_of_others_is_refused(function, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check.traffic(function, *inputs())


def test_a_kernel_may_load_what_a_kernel_or_zeros_wrote() -> None:
    def through_a_workspace(x):
        space = torch.zeros(256, device=x.device)[64 : 64 + x.numel()]
        _copy_kernel[(1,)](x, space, x.numel(), BLOCK=128)
        return copied(space)

    x = check.rng.normal(100)
    check.equal(check.traffic(through_a_workspace, x, launches=2), x)


def test_fresh_memory_is_poisoned() -> None:
    @triton.jit
    def first_half_kernel(x_ptr, z_ptr, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        tl.store(z_ptr + lanes, tl.load(x_ptr + lanes))

    def copy_half(x):
        z = torch.empty_like(x)
        first_half_kernel[(1,)](x, z, BLOCK=64)
        return z

    z = check.observe(copy_half, check.rng.normal(128)).value
    assert torch.isnan(z[64:]).all() and not torch.isnan(z[:64]).any()


def test_the_message_names_buffer_and_lines() -> None:
    @triton.jit
    def twice_kernel(x_ptr, y_ptr, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        largest = tl.max(tl.load(x_ptr + lanes), axis=0)
        tl.store(y_ptr + lanes, tl.load(x_ptr + lanes) - largest)

    def twice(x):
        y = torch.empty_like(x)
        twice_kernel[(1,)](x, y, BLOCK=64)
        return y

    message = r"loaded 512 bytes, expected 256. x_ptr: 512 bytes, 2.00 × its size on lines 4, 5 of the kernel"
    with pytest.raises(AssertionError, match=message):
        check.traffic(twice, check.rng.normal(64), loads=256)


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ({"loads": 2000}, "loaded 96 bytes, expected 2,000"),
        ({"stores": (100, 200)}, "stored 96 bytes, expected 100 to 200"),
        ({"atomics": 4}, "atomically updated 0 bytes, expected 4"),
        ({"launches": 2}, "launched 1 kernels"),
        ({"programs": 1}, "launched 4 programs, expected 1"),
    ],
)
def test_every_promise_is_two_sided(promise: dict, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check.traffic(softmax, check.rng.normal(4, 6), **promise)


def test_an_error_inside_a_kernel_comes_out_as_itself() -> None:
    @triton.jit
    def failing_kernel(x_ptr):
        raise NotImplementedError("write me")

    def fails(x):
        failing_kernel[(1,)](x)

    if device.INTERPRETED:
        with pytest.raises(NotImplementedError, match="write me"):
            check.traffic(fails, check.rng.normal(4))


def test_an_error_in_a_kernel_names_its_line() -> None:
    @triton.jit
    def mismatched_kernel(x_ptr, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        tl.store(x_ptr + lanes, lanes[:, None] + lanes + tl.arange(0, 2 * BLOCK))

    def stops(x):
        mismatched_kernel[(1,)](x, BLOCK=4)

    if device.INTERPRETED:
        message = r"the kernel mismatched_kernel stopped at `tl.store\(x_ptr \+ lanes, .*`\. ValueError: .*incompatible"
        with pytest.raises(KernelError, match=message):
            check.traffic(stops, check.rng.normal(16))


numbers = torch.arange(4)


@triton.jit
def _global_tensor_kernel(x_ptr, z_ptr, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    tl.store(z_ptr + lanes, tl.load(x_ptr + lanes) + len(numbers))


def test_a_kernel_that_reads_a_global_tensor_is_refused() -> None:
    def adds(x):
        z = torch.empty_like(x)
        _global_tensor_kernel[(1,)](x, z, BLOCK=16)
        return z

    if device.INTERPRETED:
        with pytest.raises(AssertionError, match="uses numbers, which no GPU has"):
            check.traffic(adds, check.rng.normal(16))
