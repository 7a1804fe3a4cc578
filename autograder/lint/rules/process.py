"""A test and a student's function run in two processes: what surrounds the call here does not surround it there."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from autograder.lint.assertions import CHECK
from autograder.lint.finding import Breaches
from autograder.lint.reading import Reading, position

GRAD_MODES = frozenset({"torch.no_grad", "torch.enable_grad", "torch.set_grad_enabled"})
"""Grad mode travels with a call; no other state of torch does."""
AMBIENT = ("torch.", "lablib.", "unittest.mock.", "contextlib.redirect_", "warnings.catch_warnings", "tracemalloc.")
INSTEAD = {
    "torch.utils.flop_counter.": "write check.cost(..., flops=)",
    "torch.inference_mode": "write torch.no_grad()",
    "torch.random.fork_rng": "write check.seed",
    "lablib.gpu.trace.": "write check.traffic or check.observe",
    "unittest.mock.": "hand the function what it is to use as an argument",
    "contextlib.redirect_": "have the contract return what is printed",
}
SETTINGS = frozenset(
    f"torch.{name}"
    for name in (
        "set_autocast_enabled", "set_default_device", "set_default_dtype", "set_float32_matmul_precision",
        "use_deterministic_algorithms",
    )
)  # fmt: skip
CLOCKS = (
    "datetime.datetime.now", "lablib.gpu.bench.", "time.monotonic", "time.perf_counter", "time.process_time",
    "time.thread_time", "time.time", "timeit.", "torch.cuda.Event", "torch.utils.benchmark.", "triton.testing.do_bench",
)  # fmt: skip
OWN_MEASURES = ("resource.getrusage", "torch.cuda.max_memory", "torch.cuda.memory_", "tracemalloc.get_")


def contexts(cell: Reading) -> Breaches:
    """`with` and decorators that set state of the judge's process around a student's call."""
    made = {
        node.targets[0].id: cell.dotted(node.value.func)
        for node in cell.nodes(ast.Assign)
        if isinstance(node.targets[0], ast.Name) and isinstance(node.value, ast.Call)
    }
    for place, manager, body in _surroundings(cell):
        function = manager.func if isinstance(manager, ast.Call) else manager
        name = cell.dotted(function) or (made.get(function.id, "") if isinstance(function, ast.Name) else "")
        ambient = name.startswith(AMBIENT) and name not in GRAD_MODES and not name.startswith(CHECK)
        if ambient and any(cell.reaches_student(statement) for statement in body):
            yield place, f"calls a student's function inside {name}, which does not reach its process; {_instead(name)}"


def settings(cell: Reading) -> Breaches:
    """Global state and patched modules of the judge's process."""
    for call in cell.nodes(ast.Call):
        if cell.dotted(call.func) in SETTINGS and _student_call_follows(cell, call):
            yield call, f"calls {cell.dotted(call.func)}, which does not reach the student's process; pass arguments"
    for node in cell.nodes(ast.Attribute, ast.Subscript):
        base = cell.dotted(node.value)
        if not isinstance(node.ctx, ast.Load) and base and _student_call_follows(cell, node):
            what = ast.unparse(node)
            yield node, f"sets {what}, which the student's process does not see; hand it to the function as an argument"


def clocks(cell: Reading) -> Breaches:
    """A time depends on the machine and on who else uses it."""
    for call in cell.nodes(ast.Call):
        name = cell.dotted(call.func)
        if name.startswith(CLOCKS):
            yield call, f"reads a clock ({name}); times are shown, never graded: count bytes, launches or operations"
        elif name.startswith(OWN_MEASURES):
            yield call, f"measures the judge's own process ({name}), where no student's function runs; write a check.*"


RULES = [contexts, settings, clocks]


def _surroundings(cell: Reading) -> Iterator[tuple[ast.AST, ast.expr, list[ast.stmt]]]:
    """Each context manager: where it stands, the expression, and what it surrounds."""
    for node in cell.nodes(ast.With):
        for item in node.items:
            yield item.context_expr, item.context_expr, node.body
    for node in cell.nodes(ast.FunctionDef):
        for decorator in node.decorator_list:
            yield decorator, decorator, node.body


def _instead(name: str) -> str:
    found = [advice for prefix, advice in INSTEAD.items() if name.startswith(prefix)]
    return found[0] if found else "have the contract do it, or measure with a check.*"


def _student_call_follows(cell: Reading, node: ast.AST) -> bool:
    return any(position(call) > position(node) for call in cell.student_calls)
