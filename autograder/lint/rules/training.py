"""Parameters of a student's model come as copies, and gradients cross once: what training code may not do in a test."""

from __future__ import annotations

import ast

from autograder.lint.finding import Breaches
from autograder.lint.origins import REMOTE, STUDENT, Origin
from autograder.lint.reading import Reading
from autograder.lint.rules.inputs import arguments
from autograder.lint.rules.objects import GIVE_BY_CALL

SECOND_ORDER = frozenset(
    f"torch.autograd.{name}"
    for name in ("gradgradcheck", "functional.hessian", "functional.hvp", "functional.jvp", "functional.vhp")
)
TRANSFORMS = ("torch.compile", "torch.export.", "torch.func.", "torch.fx.", "torch.jit.", "torch.vmap")


def parameters(cell: Reading) -> Breaches:
    """`p.copy_(...)` and `init.zeros_(p)` change nothing but the copy."""
    for call in cell.nodes(ast.Call):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name.endswith("_") and not name.endswith("__"):
            method = Origin.PART in cell.of(call.func.value)
            given = any(cell.of(value) & {Origin.PART, Origin.OBJECT} for value in arguments(call))
            if method or (given and cell.dotted(call.func)):
                yield call, f"changes a student's parameter in place by {ast.unparse(call.func)}; {GIVE_BY_CALL}"


def optimizers(cell: Reading) -> Breaches:
    """An optimizer of the judge's process steps copies."""
    for call in cell.nodes(ast.Call):
        if cell.dotted(call.func).startswith("torch.optim.") and any(cell.of(v) & REMOTE for v in arguments(call)):
            what = f"runs {ast.unparse(call.func)} over a student's parameters, which stay as they are"
            yield call, f"{what}; let a student's function train, or train a model of your own and load_state_dict"


def hooks(cell: Reading) -> Breaches:
    """A hook would run in the student's process."""
    for call in cell.nodes(ast.Call):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
        if name.startswith("register_") and name.endswith("hook") and cell.of(call.func.value) & REMOTE:
            yield call, f"calls {name} on a student's object; have the contract return what the hook would see"


def higher_gradients(cell: Reading) -> Breaches:
    """A backward is a call; its own graph does not cross."""
    for call in cell.nodes(ast.Call):
        given = [call.func, *arguments(call)]
        twice = any(k.arg == "create_graph" and _is_true(k.value) for k in call.keywords)
        if (twice or cell.dotted(call.func) in SECOND_ORDER) and any(cell.of(value) & STUDENT for value in given):
            yield call, "differentiates a student's function twice; compare first-order gradients, which cross"


def transforms(cell: Reading) -> Breaches:
    """A transform calls the function with stand-ins for tensors, which cannot cross."""
    for call in cell.nodes(ast.Call):
        name = cell.dotted(call.func)
        if name.startswith(TRANSFORMS) and any(cell.of(value) & REMOTE for value in arguments(call)):
            yield call, f"applies {name} to a student's function, which takes plain tensors; have the contract do it"


RULES = [parameters, optimizers, hooks, higher_gradients, transforms]


def _is_true(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is True
