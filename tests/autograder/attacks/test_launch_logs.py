"""Attacks on the log of an observed call: kernels that are none, numbers that no kernel made, work that no log tells."""

from __future__ import annotations

import pytest

from autograder.inside.limits import GIB, Limits
from autograder.judge.judge import TimeLimits

HASTY = TimeLimits(cell=10.0, test=1.5, total=60.0)

# A kernel that moves the right bytes and forgets to multiply, and its launcher.
COPY = """
@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    inside = offsets < count
    x = tl.load(x_ptr + offsets, mask=inside)
    tl.store(y_ptr + offsets, x, mask=inside)


def scale(x, alpha):
    y = torch.empty_like(x)
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)
    return y
"""
RIGHT = COPY.replace("offsets, x, mask", "offsets, alpha * x, mask")
FORGE = """
import dataclasses

import autograder.inside.serve as serve
from lablib.check.log import Log, Operation, Run, Storage, View

honest = serve.recorded


def recorded(*args, **named):
    log = honest(*args, **named)
    if any(isinstance(event, Run) for event in log.events):
        change(log)
    return log


def of_runs(change):
    def changed(log):
        log.events = [change(event) if isinstance(event, Run) else event for event in log.events]
    return changed


serve.recorded = recorded
"""
# Runs wherever a log's module is loaded: whoever gets this far multiplies the result after all.
PAYLOAD = """
import sys
replay = sys.modules['autograder.inside.replay']
packed = replay.packed
def forged(seen):
    seen.value = seen.value * 1.5
    return packed(seen)
replay.packed = forged
"""
ESCAPE = f"exec({PAYLOAD!r})"


def with_source(before: str = "", after: str = "") -> str:
    return f"\nchange = of_runs(lambda run: dataclasses.replace(run, source={before!r} + run.source + {after!r}))\n"


BREAKOUTS = {
    "a return annotation": COPY.replace("tl.constexpr):", f"tl.constexpr) -> {ESCAPE}:"),
    "a parameter's annotation": COPY.replace("count, alpha", f"count: {ESCAPE}, alpha"),
    "a default value": COPY.replace("BLOCK: tl.constexpr)", f"BLOCK: tl.constexpr, more={ESCAPE})"),
    "a line of its docstring that begins with def": COPY.replace(
        "    tl.store(y_ptr + offsets, x, mask=inside)\n",
        "    tl.store(y_ptr + offsets, x, mask=inside)\n    '''\n"
        "def _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK):\n"
        "    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)\n    inside = offsets < count\n"
        f"    x = tl.load(x_ptr + offsets, mask=inside)\n    tl.store(y_ptr + offsets, x, mask=inside)\n    {ESCAPE}\n"
        "    # '''\n"),
    "a builtin": COPY.replace("    offsets = ", f"    {ESCAPE}\n    offsets = ", 1),
    "the interpreter's numpy": COPY.replace("offsets, x, mask", "offsets, np.multiply(x, 1.5), mask"),
    "a class of a class": COPY.replace("offsets, x, mask", "offsets, x * (1.5).__class__(1.5), mask"),
    "an attribute of the language": COPY.replace("offsets, x, mask", "offsets, tl.core.mul(x, 1.5), mask"),
    "a lambda": COPY.replace("offsets, x, mask", "offsets, (lambda v: v)(x), mask"),
    "a comprehension": COPY.replace("offsets, x, mask", "offsets, [v for v in [x]][0], mask"),
    "a format": COPY.replace("offsets, x, mask", "offsets, x + len('{0.handle}'.format(x)), mask"),
    "assembly": COPY.replace("offsets, x, mask", "offsets, tl.inline_asm_elementwise('', '', [x], tl.float32, True, 1), mask"),
    "a new meaning of tl": COPY.replace("    offsets = ", "    tl = x_ptr\n    offsets = ", 1),
    "an import": COPY.replace("    offsets = ", "    import os\n    offsets = ", 1),
    "an encoding": COPY + FORGE + with_source("# coding: unicode_escape\n# \\u000aPAYLOAD = 1\n"),
    "a subscript that is assigned to": COPY + FORGE + with_source(f"a = [0]\na[{ESCAPE} or 0] = 1\n"),
    "an attribute that is assigned to": COPY + FORGE + with_source("tl.store = tl.load\n"),
    "a module by another name": COPY + FORGE + with_source("import torch as tl\n"),
    "a second meaning of the kernel": COPY + FORGE + with_source(after="\n_scale_kernel = 1\n"),
    "a call": COPY + FORGE + with_source(f"a = {ESCAPE}\n"),
    "a class": COPY + FORGE + with_source(f"class A:\n    {ESCAPE}\n"),
    "a decorator": COPY + FORGE + with_source(f"@{ESCAPE}\n@triton.jit\ndef other(x):\n    pass\n"),
    "a number that takes a year to compute": COPY + FORGE + with_source("a = 9**9**9**9\n"),
    "text that is no Python": COPY + FORGE + with_source("def (\n"),
    "bytes for text": COPY + FORGE + "\nchange = of_runs(lambda run: dataclasses.replace(run, source=run.source.encode()))",
    "a builtin by the name of a kernel": (
        COPY + FORGE + "\nchange = of_runs(lambda run: dataclasses.replace(run, kernel='__builtins__', grid='__import__',"
        " arguments={'name': 'this'}))"),
    "the language by the name of a kernel": (
        COPY + FORGE + "\nchange = of_runs(lambda run: dataclasses.replace(run, kernel='tl'))"),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAKOUTS)
def test_a_kernel_says_nothing_that_no_gpu_knows(counting, name: str) -> None:
    assert counting.scores({"scale": BREAKOUTS[name]}) == counting.full("test_scale")


OTHER_KERNELS = {
    "a kernel made for the occasion": FORGE + (
        "\nchange = of_runs(lambda run: dataclasses.replace(run, source=run.source.replace(', x, mask', ', 1.5 * x, mask')))"),
    "a kernel of the same name before it": FORGE + (
        "\nchange = of_runs(lambda run: dataclasses.replace(run, kernel='other', source=run.source.replace("
        "', x, mask', ', 1.5 * x, mask') + '\\nother = _scale_kernel\\n' + run.source[run.source.index('@triton'):]))"),
    "lablib's kernel": (
        "\nfrom lablib.kernels.softmax import softmax\n\n\ndef scale(x, alpha):\n    return softmax(x[None])[0]"),
    "a kernel that exec made": (
        "\nimport linecache\n\n\ndef scale(x, alpha):\n    text = RIGHT\n"
        "    linecache.cache['made.py'] = (len(text), None, text.splitlines(True), 'made.py')\n"
        "    exec(compile(text, 'made.py', 'exec'), globals())\n    return globals()['scale_'](x, alpha)\n\n\n"
        f"RIGHT = {RIGHT.replace('_scale_kernel', 'made_kernel').replace('def scale(', 'def scale_(')!r}"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER_KERNELS)
def test_a_kernel_that_stands_in_no_answer_earns_nothing(counting, name: str) -> None:
    assert counting.scores({"scale": COPY + OTHER_KERNELS[name]}) == counting.full("test_scale")


# Launchers that know the result otherwise and have kernels carry it, with the right number of bytes.
SMUGGLED = {
    "in a tuple of scalars": """
import numpy as np


@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, results, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = 0.0 * tl.load(x_ptr + offsets, mask=offsets < count)
    for i in tl.static_range(48):
        y = tl.where(offsets == i, results[i], y)
    tl.store(y_ptr + offsets, y, mask=offsets < count)


def scale(x, alpha):
    y, results = torch.empty_like(x), (np.array(x) * alpha).tolist()
    results = tuple(results + [0.0] * (48 - len(results)))
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), results, BLOCK=16)
    return y
""",
    "in constants": "R0 = R1 = R2 = R3 = R4 = 0.0\n" + """
import numpy as np


@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = 0.0 * tl.load(x_ptr + offsets, mask=offsets < count)
    y = tl.where(offsets == 0, R0, tl.where(offsets == 1, R1, y))
    y = tl.where(offsets == 2, R2, tl.where(offsets == 3, R3, tl.where(offsets == 4, R4, y)))
    tl.store(y_ptr + offsets, y, mask=offsets < count)


def scale(x, alpha):
    y = torch.empty_like(x)
    globals().update({f"R{i}": r for i, r in enumerate((np.array(x) * alpha).tolist())})
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), BLOCK=16)
    return y
""",
    "in the digits of a number": """
import numpy as np


@triton.jit
def _scale_kernel(x_ptr, y_ptr, count, digits, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    y = 0.0 * tl.load(x_ptr + offsets, mask=offsets < count)
    for i in tl.static_range(5):
        y = tl.where(offsets == i, ((digits >> (12 * i)) & 4095) / 256.0 - 8.0, y)
    tl.store(y_ptr + offsets, y, mask=offsets < count)


def scale(x, alpha):
    y = torch.empty_like(x)
    digits = sum(int(256 * (r + 8.0)) << (12 * i) for i, r in enumerate((np.array(x)[:5] * alpha).tolist()))
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), digits, BLOCK=16)
    return y
""",
    **{
        name: """
import numpy as np


@triton.jit
def _scale_kernel(x_ptr, r_ptr, y_ptr, count, BLOCK: tl.constexpr):
    offsets = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    r = tl.load(r_ptr + offsets, mask=offsets < count)
    tl.store(y_ptr + offsets, r, mask=offsets < count)


def scale(x, alpha):
    y = torch.empty_like(x)
""" + f"    r = {made}\n" + """
    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, r, y, x.numel(), BLOCK=16)
    return y
"""
        for name, made in {
            "in memory that numpy filled": "torch.from_numpy(np.array(x) * np.float32(alpha))",
            "in a tensor made of a list": "torch.tensor((np.array(x) * alpha).tolist())",
            "in memory that torch zeroed and numpy filled": (
                "torch.zeros(x.numel())\n    r.numpy()[:] = np.array(x) * np.float32(alpha)"),
            "in memory that torch left and numpy filled": (
                "torch.empty(x.numel())\n    r.numpy()[:] = np.array(x) * np.float32(alpha)"),
            "in what torch multiplied": "x * alpha",
            "in what torch multiplied unseen": (
                "None\n    from torch.utils._python_dispatch import _disable_current_modes\n"
                "    with _disable_current_modes():\n        r = x * alpha"),
            "in what another thread multiplied": (
                "None\n    from concurrent.futures import ThreadPoolExecutor\n"
                "    r = ThreadPoolExecutor(1).submit(lambda: x * alpha).result()"),
            "in what a fill wrote": (
                "torch.full((x.numel(),), 0.0)\n    for i, v in enumerate((np.array(x) * alpha).tolist()):\n"
                "        r[i : i + 1] = torch.full((1,), v)"),
            "in what arange counted": "torch.arange(x.numel()) * alpha",
        }.items()
    },
    "written after the kernel": COPY.replace("    return y", "    y.numpy()[:] *= alpha\n    return y"),
    "multiplied after the kernel": COPY.replace("    return y", "    return y.mul_(alpha)"),
    "multiplied before the kernel": COPY.replace("](x, y", "](x * alpha, y"),
    "multiplied by torch alone": "def scale(x, alpha):\n    return alpha * x",
    "multiplied in its own argument": COPY.replace("    y = ", "    x.mul_(alpha)\n    y = "),
    "in a launch for every element": RIGHT.replace(
        "    _scale_kernel[(triton.cdiv(x.numel(), 16),)](x, y, x.numel(), alpha, BLOCK=16)",
        "    for i in range(x.numel()):\n        _scale_kernel[(1,)](x[i:], y[i:], 1, alpha, BLOCK=1)"),
    "in a program for every element": RIGHT.replace("16),)", "1),)").replace("BLOCK=16", "BLOCK=1"),
    "read by adding zero atomically": RIGHT.replace("tl.load(x_ptr + offsets,", "tl.atomic_add(x_ptr + offsets, 0.0,"),
    "read twice, once by a block pointer": RIGHT.replace(
        "    x = ", "    b = tl.make_block_ptr(x_ptr, (count,), (1,), (0,), (BLOCK,), (0,))\n"
        "    z = tl.load(b, boundary_check=(0,))\n    x = 0 * z + "),
    "read twice, once through a number": RIGHT.replace(
        "    x = ", "    p = (x_ptr + offsets).to(tl.int64).to(tl.pointer_type(tl.float32))\n"
        "    x = 0 * tl.load(p, mask=inside) + "),
    "read beyond the end": RIGHT.replace("tl.load(x_ptr + offsets, mask=inside)", "tl.load(x_ptr + offsets)"),
    "stored beyond the end": RIGHT.replace("alpha * x, mask=inside", "alpha * x"),
    "half of it, the rest left as it was": RIGHT.replace("alpha * x, mask=inside", "alpha * x, mask=inside & (offsets % 2 == 0)"),
    "read from an address of its own": RIGHT.replace(
        "tl.load(x_ptr + offsets,", "tl.load((offsets + 140000000000000).to(tl.int64).to(tl.pointer_type(tl.float32)),"),
}  # fmt: skip


@pytest.mark.parametrize("name", SMUGGLED)
def test_a_result_that_no_kernel_computed_earns_nothing(counting, name: str) -> None:
    assert counting.scores({"scale": SMUGGLED[name]}) == counting.full("test_scale")


VIEW = "View(0, torch.float32, (5,), (1,), 0)"
FORGED_LOGS = {
    # what the log says; the kernel is right, so that the log alone is wrong
    "nothing": "log.events.clear()",
    "no memory": "log.storages.clear()",
    "another result": "log.value = torch.full((5,), 1.5)",
    "a result beyond its memory": "log.value = dataclasses.replace(log.value, shape=(10**6,))",
    "a result of negative size": "log.value = dataclasses.replace(log.value, shape=(-5,))",
    "a result with a negative stride": "log.value = dataclasses.replace(log.value, strides=(-1,), offset=4)",
    "a result of no whole number of elements": "log.value = dataclasses.replace(log.value, shape=(2.5,))",
    "a result in memory that there is not": "log.value = dataclasses.replace(log.value, storage=99)",
    "a result in memory counted from the end": "log.value = dataclasses.replace(log.value, storage=-1)",
    "a result of another dtype": "log.value = dataclasses.replace(log.value, dtype='float32')",
    "a result that is the argument": f"log.value = {VIEW}",
    "an argument too many": "log.storages.append(Storage(20, 'argument'))",
    "arguments that came from outside": "log.storages[0] = Storage(20, 'outside', torch.ones(20, dtype=torch.uint8))",
    "the kernel twice": "log.events *= 2",
    "the kernel on a grid of a million": "of_runs(lambda run: dataclasses.replace(run, grid=(10**9, 1, 1)))(log)",
    "the kernel on no grid": "of_runs(lambda run: dataclasses.replace(run, grid=(0, 1, 1)))(log)",
    "the kernel on a grid of text": "of_runs(lambda run: dataclasses.replace(run, grid='111'))(log)",
    "the kernel for a rehearsal": "of_runs(lambda run: dataclasses.replace(run, options={'warmup': True}))(log)",
    "the kernel with an argument too many": "of_runs(lambda run: dataclasses.replace(run, options={'alpha': 1.0}))(log)",
    "the kernel with a file for the compiler": "of_runs(lambda run: dataclasses.replace(run, options={'ptx_options': '--options-file /etc/passwd'}))(log)",
    "the kernel with another argument": "of_runs(lambda run: dataclasses.replace(run, arguments={**run.arguments, 'alpha': 9.0}))(log)",
    "the kernel without arguments": "of_runs(lambda run: dataclasses.replace(run, arguments={}))(log)",
    "events of another kind": "log.events.append(Storage(1, 'torch'))",
    "events that are text": "log.events.append('aten.add.Tensor')",
    "events that are a tuple": "log.events = tuple(log.events)",
    "a log in a log": "log.value = Log([], [], None)",
    **{
        f"the operation {operation}": f"log.events.insert(0, Operation({operation!r}, {args}, {{}}, []))"
        for operation, args in {
            "aten.mul.Tensor": f"({VIEW}, 1.5)",
            "aten.set_.source_Tensor": f"({VIEW}, {VIEW})",
            "aten.resize_.default": f"({VIEW}, [10**6])",
            "aten._reshape_alias.default": f"({VIEW}, [10**6], [1])",
            "aten._index_put_impl_.default": f"({VIEW}, [torch.tensor([10**9])], torch.ones(1), False, True)",
            "aten.from_file.default": "('/etc/passwd', False, 10)",
            "aten.save.default": f"({VIEW}, '/tmp/x')",
            "aten.manual_seed.default": "(1,)",
            "aten.set_grad_enabled.default": "(False,)",
            "aten.empty.memory_format": "([10**14],)",
            "aten.__class__.mro": "()",
            "aten.add": "()",
            "os.system.default": "('true',)",
            "profiler._record_function_enter_new.default": "('x',)",
            "": "()",
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", FORGED_LOGS)
def test_a_forged_log_earns_nothing(counting, name: str) -> None:
    source = RIGHT + FORGE + f"\n\ndef change(log):\n    {FORGED_LOGS[name]}\n"
    assert counting.scores({"scale": source}, times=HASTY) == counting.full("test_scale")


EXHAUSTING = {
    "runs without end": COPY.replace("    offsets = ", "    while True:\n        pass\n    offsets = ", 1),
    "calls itself": COPY.replace(
        "    offsets = ", "    _scale_kernel(x_ptr, y_ptr, count, alpha, BLOCK)\n    offsets = ", 1
    ),
    "takes all memory": COPY.replace(
        "    offsets = ", "    z = tl.zeros((1048576, 1024), tl.float64)\n    offsets = ", 1
    ),
    "takes all memory with a list": COPY.replace("    offsets = ", "    z = [0] * (10**12)\n    offsets = ", 1),
    "counts to a number of a million digits": COPY.replace("    offsets = ", "    z = 9**9**9\n    offsets = ", 1),
    "formats a thousand million blanks": COPY.replace("    offsets = ", "    z = f'{1:>{10**10}}'\n    offsets = ", 1),
    "prints without end": COPY.replace("    offsets = ", "    while True:\n        print('x')\n    offsets = ", 1),
    "raises": COPY.replace("    offsets = ", "    raise AssertionError('no')\n    offsets = ", 1),
}


@pytest.mark.parametrize("name", EXHAUSTING)
def test_a_kernel_that_exhausts_the_clean_process_costs_its_own_test_only(counting, name: str) -> None:
    scores = counting.scores({"scale": EXHAUSTING[name]}, times=HASTY, limits=Limits(memory=1 * GIB))
    assert scores == counting.full("test_scale")


# Softmax along rows, at more cost than the log may say.
UNCOUNTED = {
    "by numpy": (
        "import numpy as np\n\n\ndef row_softmax(x):\n    torch.empty_like(x)\n    e = np.exp(np.array(x))\n"
        "    return torch.from_numpy(e / e.sum(1, keepdims=True))"),
    "by lists": (
        "import math\n\n\ndef row_softmax(x):\n    e = [[math.exp(v) for v in row] for row in x.tolist()]\n"
        "    torch.empty_like(x)\n    return torch.tensor([[v / sum(row) for v in row] for row in e])"),
    "unseen": (
        "from torch.utils._python_dispatch import _disable_current_modes\n\n\ndef row_softmax(x):\n    torch.empty_like(x)\n"
        "    with _disable_current_modes():\n        return torch.softmax(x.double(), 1).float()"),
    "in another thread": (
        "from concurrent.futures import ThreadPoolExecutor\n\n\ndef row_softmax(x):\n    torch.empty_like(x)\n"
        "    return ThreadPoolExecutor(1).submit(lambda: torch.softmax(x.double(), 1).float()).result()"),
    "in another process": (
        "import os, torch.multiprocessing\n\n\ndef row_softmax(x):\n    y = torch.empty_like(x).share_memory_()\n"
        "    if os.fork() == 0:\n        y.copy_(torch.softmax(x.double(), 1))\n        os._exit(0)\n    os.wait()\n    return y"),
    "in a log of its own": (
        "import autograder.inside.serve as serve\nfrom lablib.check.log import Log, Operation, Storage, View\n\n\n"
        "def row_softmax(x):\n    return torch.softmax(x.double(), 1).float()\n\n\n"
        "def recorded(function, args, kwargs, run_kernels=True):\n    y = function(*args)\n"
        "    made = View(1, torch.float32, (20, 30), (30, 1), 0)\n    found = View(2, torch.float32, (20, 30), (30, 1), 0)\n"
        "    content = torch.frombuffer(bytearray(y.numpy().tobytes()), dtype=torch.uint8)\n"
        "    empty = Operation('aten.empty.memory_format', ([20, 30],), {}, made)\n"
        "    return Log([Storage(2400, 'argument'), Storage(2400, 'torch'), Storage(2400, 'outside', content)], [empty], found)"
        "\n\n\nserve.recorded = recorded"),
    "with twice the memory": "def row_softmax(x):\n    e = x.exp()\n    return e / e.sum(1, keepdim=True)",
    "with a product that nobody needs": (
        "def row_softmax(x):\n    y = x - x.amax(1, keepdim=True)\n    y.exp_()\n    y[:1] @ y[:1].T\n"
        "    y /= y.sum(1, keepdim=True)\n    return y"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNCOUNTED)
def test_work_that_no_log_tells_earns_nothing(counting, name: str) -> None:
    assert counting.scores({"row_softmax": UNCOUNTED[name]}) == counting.full("test_row_softmax")
