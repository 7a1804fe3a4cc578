"""Kernels compile for three generations without a GPU, and the figures read from them are the compiler's."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch

from lablib import device
from lablib.gpu.compile import TARGETS, CompileError, argument_type, compile_stages
from lablib.gpu.launch import launches_of
from lablib.gpu.source import kernel_module
from lablib.kernels.elementwise import add
from lablib.kernels.matmul import matmul

import triton  # isort: skip
import triton.language as tl  # isort: skip
from triton.tools.tensor_descriptor import TensorDescriptor  # isort: skip

SCALE = tl.constexpr(3.0)


@triton.jit
def _tripled(x):
    return x * SCALE


@triton.jit
def _triple_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + lanes, mask=lanes < n, other=0.0)
    tl.store(y_ptr + lanes, _tripled(x), mask=lanes < n)


def triple(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    _triple_kernel[(triton.cdiv(x.numel(), 128),)](x, y, x.numel(), BLOCK=128)
    return y


@triton.jit
def _copy_kernel(x_desc, y_desc, BLOCK: tl.constexpr):
    at = tl.program_id(0) * BLOCK
    y_desc.store([at, 0], x_desc.load([at, 0]))


def copy_by_descriptors(x: torch.Tensor) -> torch.Tensor:
    y = torch.empty_like(x)
    x_desc, y_desc = (TensorDescriptor.from_tensor(one, [64, x.shape[1]]) for one in (x, y))
    _copy_kernel[(triton.cdiv(x.shape[0], 64),)](x_desc, y_desc, BLOCK=64)
    return y


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def products() -> dict:
    a, b = (torch.empty(1024, 1024, dtype=torch.float16, device="meta") for _ in range(2))
    return {c.target: c for c in compile_stages(matmul, a, b.T, 128, 128, 64, 8, 3)}


def test_every_target_has_every_stage(products: dict) -> None:
    assert tuple(products) == TARGETS
    for compiled in products.values():
        assert list(compiled.stages) == ["ttir", "ttgir", "llir", "ptx", "sass"]
        assert f".target {compiled.target}" in compiled.stages["ptx"]


@pytest.mark.parametrize(("target", "opcode"), [("sm_80", "HMMA"), ("sm_90", "HGMMA"), ("sm_100", "UTCHMMA")])
def test_each_generation_has_its_matrix_instruction(products: dict, target: str, opcode: str) -> None:
    assert products[target].instructions[opcode] > 0


def test_resources_are_read(products: dict) -> None:
    compiled = products["sm_90"]
    assert compiled.spill_bytes == 0 and compiled.num_warps == 8
    assert compiled.shared_bytes == 3 * (128 * 64 + 64 * 128) * 2
    assert 64 < compiled.registers <= 255


def test_lines_of_every_stage_point_into_the_source(products: dict) -> None:
    compiled = products["sm_90"]
    source = compiled.source.splitlines()
    dot = next(i for i, line in enumerate(source, 1) if "tl.dot" in line)
    for stage, text in compiled.stages.items():
        lines = compiled.line_map[stage]
        assert len(lines) == len(text.splitlines())
        assert max(lines) <= len(source)
        assert dot in lines, f"no line of {stage} comes from tl.dot"
    sass = zip(compiled.stages["sass"].splitlines(), compiled.line_map["sass"], strict=True)
    matrix = Counter(line for text, line in sass if "HGMMA" in text)
    assert matrix.most_common(1)[0][0] == dot


def test_no_path_of_this_machine_is_left_in_a_stage(products: dict) -> None:
    for text in products["sm_90"].stages.values():
        assert "site-packages" not in text and "lablib-kernels" not in text


def test_spills_are_seen() -> None:
    a, b = (torch.empty(1024, 1024, dtype=torch.float16, device="meta") for _ in range(2))
    assert compile_stages(matmul, a, b.T, 128, 256, 64, 4, 3, targets=["sm_90"])[0].spill_bytes > 100


def test_a_second_time_comes_from_the_cache(monkeypatch) -> None:
    x = torch.empty(4096, device="meta")
    first = compile_stages(add, x, x, targets=["sm_80"])

    def not_called(request):
        raise AssertionError("compiled again")

    monkeypatch.setattr("lablib.gpu.compile._compiler.call", not_called)
    assert compile_stages(add, x, x, targets=["sm_80"]) == first


@pytest.mark.parametrize("left", ["{", "[]", '{"kernel": "add"}', ""])
def test_what_cannot_be_read_is_compiled_again(tmp_path, monkeypatch, left: str) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    x = torch.empty(4096, device="meta")
    first = compile_stages(add, x, x, targets=["sm_80"])
    (kept,) = (tmp_path / "lablib" / "compile").iterdir()
    kept.write_text(left)
    assert compile_stages(add, x, x, targets=["sm_80"]) == first
    assert len(kept.read_text()) > 1000


def test_another_version_of_lablib_does_not_read_the_files_of_this_one(monkeypatch) -> None:
    x = torch.empty(4096, device="meta")
    compile_stages(add, x, x, targets=["sm_80"])
    asked = []

    def refused(request):
        asked.append(request)
        return {"error": "not now"}

    monkeypatch.setattr("lablib.gpu.compile._FORMAT", 0)
    monkeypatch.setattr("lablib.gpu.compile._compiler.call", refused)
    with pytest.raises(CompileError, match="not now"):
        compile_stages(add, x, x, targets=["sm_80"])
    assert len(asked) == 1


def test_helpers_and_constants_travel_with_the_kernel() -> None:
    x = torch.empty(1000, device="meta")
    assert compile_stages(triple, x, targets=["sm_80"])[0].kernel == "_triple_kernel"
    (launch,) = launches_of(triple, x)
    text, line = kernel_module(launch.kernel)
    assert text.splitlines()[line].startswith("def _triple_kernel(")
    assert "SCALE = tl.constexpr(3.0)" in text and "def _tripled(x):" in text


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e5m2, torch.int8])
def test_descriptors_made_on_the_host_become_copies_by_the_copy_engine(dtype: torch.dtype) -> None:
    x = torch.empty(1000, 128, dtype=dtype, device="meta")
    before, since = compile_stages(copy_by_descriptors, x, targets=["sm_80", "sm_90"])
    assert since.instructions["UTMALDG"] > 0 and since.instructions["UTMASTG"] > 0
    assert before.instructions["LDG"] > 0 and before.instructions["STG"] > 0  # Ampere has none: they become pointers


def test_a_kernel_that_does_not_compile_says_why() -> None:
    @triton.jit
    def broken_kernel(x_ptr, BLOCK: tl.constexpr):
        tl.store(x_ptr + tl.arange(0, BLOCK), 0.0)

    x = torch.empty(8, device="meta")
    with pytest.raises(CompileError, match=r"(?s)broken_kernel does not compile for sm_90: .*power of 2"):
        compile_stages(lambda: broken_kernel[(1,)](x, BLOCK=6), targets=["sm_90"])


@pytest.mark.parametrize(
    ("function", "target", "message"),
    [
        (torch.abs, "sm_90", "launched no kernel"),
        (add, "gfx942", "Unknown target 'gfx942': expected one of sm_80"),
    ],
)
def test_bad_requests_get_a_sentence(function, target: str, message: str) -> None:
    x = torch.ones(4, device=device.DEVICE)
    args = (x,) if function is torch.abs else (x, x)
    with pytest.raises(CompileError, match=message):
        compile_stages(function, *args, targets=[target])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, ("constexpr", "constant")),
        (32, ("i32", 16)),
        (33, ("i32", None)),
        (2**40, ("i64", 16)),
        (math.pi, ("fp32", None)),
        (True, ("i1", None)),
        (torch.empty(4, dtype=torch.bfloat16), ("*bf16", 16)),
        (torch.empty(4, dtype=torch.uint8)[1:], ("*u8", None)),
        (torch.empty(4, dtype=torch.int64), ("*i64", 16)),
        (TensorDescriptor.from_tensor(torch.empty(9, 64), [4, 32]), ("tensordesc<fp32[4, 32]>", None)),
        (
            TensorDescriptor.from_tensor(torch.empty(2, 9, 64, dtype=torch.float8_e4m3fn), [1, 8, 64]),
            ("tensordesc<fp8e4nv[1, 8, 64]>", None),
        ),
    ],
)
def test_argument_types_are_those_of_a_launch(value, expected) -> None:
    assert argument_type(value) == expected


def test_an_argument_of_another_type_is_refused() -> None:
    with pytest.raises(CompileError, match="type list cannot be compiled for"):
        argument_type([1])


@pytest.mark.parametrize("options", [{"ptx_options": "--options-file /etc/passwd"}, {"num_warps": "--help"}])
def test_a_launch_hands_the_compiler_numbers_alone(options: dict[str, str]) -> None:
    def read(x: torch.Tensor) -> None:
        _triple_kernel[(1,)](x, x, 128, BLOCK=128, **options)

    (name,) = options
    with pytest.raises(TypeError, match=f"_triple_kernel is launched with {name}=.*num_warps, num_stages"):
        compile_stages(read, torch.empty(128, device="meta"), targets=["sm_90"])
