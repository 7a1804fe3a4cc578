"""The tracer counts what kernels of known traffic move, keeps them inside their buffers, and says where they leave."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lablib import device
from lablib.gpu.errors import KernelError
from lablib.gpu.launch import launches_of, recording
from lablib.gpu.replay import freeze, replay
from lablib.gpu.trace import trace, tracing
from lablib.gpu.traffic import Buffer, Trace
from lablib.kernels.elementwise import add
from lablib.kernels.matmul import matmul

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip


@triton.jit
def _gather_kernel(x_ptr, y_ptr, n, stride, BLOCK: tl.constexpr, MASKED: tl.constexpr):
    lanes = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = lanes < (n if MASKED else 1 << 30)
    x = tl.load(x_ptr + lanes * stride, mask=mask)
    tl.store(y_ptr + lanes, x, mask=lanes < n)


def gather(x: torch.Tensor, n: int, stride: int = 1, BLOCK: int = 8, MASKED: bool = True) -> torch.Tensor:
    y = torch.zeros(n, device=x.device)
    _gather_kernel[(triton.cdiv(n, BLOCK),)](x, y, n, stride, BLOCK=BLOCK, MASKED=MASKED)
    return y


@triton.jit
def _histogram_kernel(x_ptr, counts_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + lanes, mask=lanes < n, other=0)
    tl.atomic_add(counts_ptr + x, 1, mask=lanes < n)


def test_counts_bytes_by_buffer() -> None:
    x = torch.randn(100, device=device.DEVICE)
    seen = trace(add, x, x.clone(), BLOCK=32)
    assert (seen.loads("x_ptr"), seen.loads("y_ptr"), seen.stores("z_ptr")) == (400, 400, 400)
    assert (seen.loaded_bytes, seen.stored_bytes, seen.moved("atomic")) == (800, 400, 0)
    assert seen.grid == (4, 1, 1) and seen.kernel == "_add_kernel"


def test_one_tensor_under_two_names_is_one_memory() -> None:
    x = torch.randn(16, device=device.DEVICE)
    assert trace(add, x, x).loaded_bytes == 128


def test_access_knows_program_lanes_and_line() -> None:
    seen = trace(gather, torch.randn(10, device=device.DEVICE), 10)
    last = seen.accesses[-1]
    assert (last.program, last.op, last.lanes, last.offsets.tolist()) == ((1, 0, 0), "store", 8, [8, 9])
    assert [a.line for a in seen.accesses] == [5, 6, 5, 6]


@pytest.mark.parametrize(("stride", "sectors"), [(1, 2), (2, 4), (8, 16)])
def test_sectors_show_what_a_strided_load_wastes(stride: int, sectors: int) -> None:
    seen = trace(gather, torch.randn(128, device=device.DEVICE), 16, stride)
    assert (seen.loaded_bytes, seen.sectors()) == (64, sectors)


def test_an_unmasked_load_is_a_fault_and_reads_nothing() -> None:
    with_guard = torch.full((12,), 7.0, device=device.DEVICE)
    seen = trace(gather, with_guard[:10], 10, MASKED=False)
    (fault,) = seen.faults
    assert (fault.element, fault.line) == (10, 5)
    assert "program (1, 0, 0) would load at x_ptr + 10, outside x_ptr, which has 10 elements (line 5" in str(fault)


def test_masked_lanes_without_other_are_undefined() -> None:
    @triton.jit
    def sum_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        tl.store(y_ptr, tl.sum(tl.load(x_ptr + lanes, mask=lanes < n), axis=0))

    y = torch.zeros(1, device=device.DEVICE)
    trace(lambda: sum_kernel[(1,)](torch.ones(5, device=device.DEVICE), y, 5, BLOCK=8))
    if device.INTERPRETED:
        assert torch.isnan(y).all()


def test_rows_of_a_slice_are_inside_and_the_gap_is_not() -> None:
    wide = torch.randn(2, 8, device=device.DEVICE)
    seen = trace(gather, wide[:, :4], 12)
    (fault,) = seen.faults
    assert "would load at x_ptr + 4, which lies between the elements of x_ptr: its strides are (8, 1)" in str(fault)


def test_atomics_are_counted_on_their_own() -> None:
    counts = torch.zeros(4, dtype=torch.int32, device=device.DEVICE)
    x = torch.tensor([0, 1, 1, 3, 3, 3], device=device.DEVICE)
    seen = trace(lambda: _histogram_kernel[(1,)](x, counts, 6, BLOCK=8))
    assert counts.tolist() == [1, 2, 0, 3]
    assert (seen.moved("atomic"), seen.stored_bytes) == (12, 0)


def test_dots_are_counted() -> None:
    a = torch.randn(32, 64, device=device.DEVICE)
    assert trace(matmul, a, a.T, 32, 32, 32).dot_flops == 2 * 32 * 32 * 64


def test_times_touched_has_the_shape_of_the_buffer() -> None:
    x = torch.randn(6, 4, device=device.DEVICE).T
    seen = trace(gather, x, 24)
    assert seen.times_touched("load", "x_ptr").shape == (4, 6)
    assert (seen.times_touched("load", "x_ptr") == 1).all()


def test_offsets_of_a_transposed_buffer() -> None:
    buffer = Buffer("x", (2, 3), (1, 2), 4, "float32")
    assert buffer.offsets().tolist() == [0, 2, 4, 1, 3, 5]
    assert (buffer.elements, buffer.nbytes) == (6, 24)


def test_replay_in_another_process_counts_the_same() -> None:
    a = torch.randn(40, 50, device=device.DEVICE)
    frozen: list[bytes] = []

    def freeze_first(launch, run):
        frozen.append(freeze(launch))
        return run()

    with recording(freeze_first):
        matmul(a, a.T)
    replayed, direct = Trace(), trace(matmul, a, a.T)
    replay(frozen, replayed)
    assert replayed.loaded_bytes == direct.loaded_bytes and replayed.sectors() == direct.sectors()
    assert all(
        np.array_equal(one.offsets, other.offsets) and one.line == other.line
        for one, other in zip(replayed.accesses, direct.accesses, strict=True)
    )


def test_launches_are_described_without_running() -> None:
    x = torch.empty(2**40, device="meta")
    (launch,) = launches_of(add, x, x, BLOCK=256)
    assert (launch.name, launch.programs, launch.constexprs) == ("_add_kernel", 2**32, {"BLOCK"})
    assert launch.arguments["n"] == 2**40


def test_an_address_far_outside_still_belongs_to_its_pointer() -> None:
    @triton.jit
    def far_kernel(x_ptr, y_ptr, distance, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        tl.store(y_ptr + lanes, tl.load(x_ptr + distance + lanes))

    both = torch.randn(2, 8, device=device.DEVICE)  # y lies right behind x
    seen = trace(lambda: far_kernel[(1,)](both[0], both[1], 8, BLOCK=8))
    assert [(fault.buffer.name, fault.element) for fault in seen.faults] == [("x_ptr", 8)]


def test_a_pointer_loaded_from_memory_is_followed() -> None:
    @triton.jit
    def indirect_kernel(table_ptr, x_ptr, y_ptr, BLOCK: tl.constexpr):
        source = tl.load(table_ptr).to(tl.pointer_type(tl.float32))
        lanes = tl.arange(0, BLOCK)
        tl.store(y_ptr + lanes, tl.load(source + lanes))

    x, y = torch.randn(8), torch.empty(8)
    if device.INTERPRETED:
        table = torch.tensor([x.data_ptr()], dtype=torch.int64)
        seen = trace(lambda: indirect_kernel[(1,)](table, x, y, BLOCK=8))
        assert seen.loads("x_ptr") == 32 and torch.equal(x, y)


def test_a_kernel_that_raises_leaves_the_interpreter_as_it_was() -> None:
    @triton.jit
    def failing_kernel(x_ptr):
        raise ValueError("in the middle")

    x = torch.randn(8, device=device.DEVICE)
    if device.INTERPRETED:
        with pytest.raises(KernelError, match="in the middle"):
            trace(lambda: failing_kernel[(1,)](x))
    assert torch.equal(add(x, x), x + x)


@triton.jit
def _descriptor_kernel(source, target_ptr, M, N, BLOCK: tl.constexpr):
    target = tl.make_tensor_descriptor(target_ptr, (M, N), (N, 1), (BLOCK, BLOCK))
    row, column = tl.program_id(0) * BLOCK, tl.program_id(1) * BLOCK
    target.store([row, column], source.load([row, column]) + 1.0)


def test_tensor_descriptors_of_host_and_device_are_followed() -> None:
    x, y = torch.randn(20, 36, device=device.DEVICE), torch.zeros(20, 36, device=device.DEVICE)
    source = TensorDescriptor.from_tensor(x, [16, 16])
    triton.set_allocator(lambda size, alignment, stream: torch.empty(size, dtype=torch.int8, device=device.DEVICE))
    seen = trace(lambda: _descriptor_kernel[(2, 3)](source, y, 20, 36, BLOCK=16))
    assert torch.equal(y, x + 1)
    assert (seen.loads("source"), seen.stores("target_ptr"), seen.faults) == (x.nbytes, y.nbytes, [])


def test_a_trace_inside_a_trace_sees_and_leaves_the_rest() -> None:
    x = torch.randn(16, device=device.DEVICE)
    with tracing() as outer:
        inner = trace(add, x, x)
        add(x, x)
    assert inner.loaded_bytes == 128
    if device.INTERPRETED:
        assert outer.loaded_bytes == 256


def test_two_tensors_of_one_shape_stay_apart_over_launches() -> None:
    x, y = torch.randn(16, device=device.DEVICE), torch.randn(16, device=device.DEVICE)

    def two_launches():
        gather(x, 16)
        gather(y, 16)

    seen = trace(two_launches)
    assert seen.loads("x_ptr") == seen.loads("x_ptr#2") == 64


def test_undefined_lanes_show_in_every_dtype() -> None:
    @triton.jit
    def widen_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        tl.store(y_ptr + lanes, tl.load(x_ptr + lanes, mask=lanes < n))

    if device.INTERPRETED:
        for dtype in (torch.float16, torch.bfloat16, torch.int32):
            x, y = torch.ones(8, dtype=dtype), torch.zeros(8, dtype=dtype)
            trace(lambda x=x, y=y: widen_kernel[(1,)](x, y, 5, BLOCK=8))
            undefined = y[5:] == torch.iinfo(dtype).max if dtype == torch.int32 else torch.isnan(y[5:])
            assert undefined.all() and (y[:5] == 1).all()


def test_masks_joined_with_and_are_refused() -> None:
    @triton.jit
    def and_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
        lanes = tl.arange(0, BLOCK)
        inside = lanes < n and lanes >= 0
        tl.store(y_ptr + lanes, tl.load(x_ptr + lanes, mask=inside), mask=inside)

    x = torch.randn(8, device=device.DEVICE)
    if device.INTERPRETED:
        with pytest.raises(KernelError, match=r"`inside = lanes < n and lanes >= 0`.*join masks with &"):
            trace(lambda: and_kernel[(1,)](x, x.clone(), 5, BLOCK=8))


def test_a_scalar_may_decide() -> None:
    @triton.jit
    def branch_kernel(x_ptr, y_ptr, n):
        for i in range(n):
            x = tl.load(x_ptr + i)
            if x > 0 and i < n:
                tl.store(y_ptr + i, x)

    x, y = torch.tensor([1.0, -1.0, 2.0], device=device.DEVICE), torch.zeros(3, device=device.DEVICE)
    trace(lambda: branch_kernel[(1,)](x, y, 3))
    assert y.tolist() == [1.0, 0.0, 2.0]
