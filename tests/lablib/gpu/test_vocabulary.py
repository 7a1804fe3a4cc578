"""A kernel may say what a GPU knows, and nothing by which the interpreter would run something else."""

from __future__ import annotations

import pytest

from lablib.gpu.source import kernel_module
from lablib.gpu.vocabulary import complaints, kernel_definitions
from lablib.kernels import elementwise, matmul, softmax

KERNEL = """import triton
import triton.language as tl
SCALE = 2.0
@triton.jit
def kernel(x_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    {}
"""

SAID = [
    "x = tl.load(x_ptr + lanes, mask=lanes < n, other=float('-inf')).to(tl.float32)",
    "tl.static_assert(BLOCK > 16, f'a block of {BLOCK} is too small')",
    "for k in tl.static_range(4): n += k",
    "y = x_ptr.dtype.element_ty",
    "y = tl.where(lanes < n, SCALE, math.pi) if BLOCK > 2 else 0.0",
    "assert n > 0",
    "raise NotImplementedError('kernel')",
    "tl.store(x_ptr + lanes, tl.sum(tl.zeros((BLOCK,), tl.float32), axis=0))",
    "a, b = tl.cdiv(n, BLOCK), min(n, BLOCK)",
]
REFUSED = [
    ("y = np.sum(lanes)", "np"),
    ("y = torch.sum(lanes)", "torch"),
    ("y = __import__('os')", "__import__"),
    ("y = lanes.handle.data", "lanes.handle.data"),
    ("y = lanes.__class__", "lanes.__class__"),
    ("y = tl.core.tensor", "tl.core"),
    ("y = tl.tensor(lanes, tl.int32)", "tl.tensor"),
    ("tl.load = print", "tl.load"),
    ("import os", "import"),
    ("y = (lambda: 1)()", "lambda"),
    ("y = [i for i in range(3)]", "listcomp"),
    ("exec('1')", "exec"),
    ("y = getattr(lanes, 'handle')", "getattr"),
    ("global SCALE", "global"),
    ("with n: pass", "with"),
    ("y = '{0.handle}'.format(lanes)", "'{0.handle}'.format"),
    ("y = triton.runtime", "triton.runtime"),
    ("y = math.__dict__", "math.__dict__"),
    ("del n", "delete"),
]


@pytest.mark.parametrize("line", SAID)
def test_what_a_gpu_knows_may_be_said(line: str) -> None:
    assert complaints("import math\n" + KERNEL.format(line)) == ()


@pytest.mark.parametrize(("line", "named"), REFUSED)
def test_what_no_gpu_knows_is_named(line: str, named: str) -> None:
    assert named in complaints(KERNEL.format(line))


@pytest.mark.parametrize(
    "text",
    [
        "import os",
        "from triton.language.core import tensor",
        "print(1)",
        "X = [].append",
        "@triton.jit\ndef k(x=open('f')): pass",
        "@triton.jit\ndef k(x: exec('1')): pass",
        "@print\ndef k(x): pass",
        "def k(x): pass",
        "class K: pass",
        "x = 1 +",
        "(" * 10_000,
    ],
)
def test_a_module_holds_constants_and_kernels_only(text: str) -> None:
    assert complaints(text)


@pytest.mark.parametrize("kernel", [elementwise._add_kernel, softmax._softmax_kernel, matmul._matmul_kernel])
def test_the_reference_kernels_are_honest(kernel) -> None:
    assert complaints(kernel_module(kernel)[0]) == ()


def test_definitions_are_the_same_whatever_the_comments_and_the_place() -> None:
    one = "@triton.jit\ndef k(x):\n    return x + 1"
    other = "def f():\n    @triton.jit\n    def k(x):  # adds\n        return (x\n                + 1)\n    return k"
    assert kernel_definitions(one) == kernel_definitions(other) != {}
    assert kernel_definitions("@triton.jit\ndef k(x):\n    return x + 2") != kernel_definitions(one)
    assert kernel_definitions("def k(x):\n    return x + 1") == {}
