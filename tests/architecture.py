"""Which way imports may point. `violations` reads one module's source; the rules stand in the tables on top.

In short: a lab imports lablib; autograder imports lablib.check; inside lablib, `device` and `gpu` are ground,
topics stand beside each other upon it, and `viz` stands alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

GROUND = frozenset({"device", "data", "gpu", "models"})
"""What any topic's package of lablib may import of lablib; a package with other needs is listed below."""

MAY_IMPORT = {
    "beside": frozenset(),
    "check": frozenset({"beside", "device", "gpu", "home"}),
    "data": frozenset({"device"}),
    "device": frozenset(),
    "doctor": frozenset({"hls", "system_tools"}),
    "gpu": frozenset({"device"}),
    "home": frozenset({"beside"}),
    "jupyter": frozenset({"home"}),
    "kernels": frozenset({"device", "gpu"}),
    "ledger": frozenset({"beside"}),
    "models": frozenset({"device"}),
    "system_tools": frozenset({"hls"}),
    "viz": frozenset(),
}
AUTOGRADER_MAY_IMPORT = {
    "inside": frozenset({"check", "device", "gpu"}),
    "judge": frozenset({"check", "gpu"}),
    "reports": frozenset({"viz"}),
}
"""What a package of autograder may import of lablib; the rest of autograder may import `lablib.check`."""
NEVER_INSIDE = frozenset({"nbgrader", "nbconvert", "nbformat", "sqlalchemy"})
"""What runs in the sandbox sees neither these nor the rest of autograder."""
NEVER_IN_LABLIB = frozenset({"autograder", "benchmarks", "labs", "nbgrader", "solutions", "tests"})
NEVER_IN_A_LAB = frozenset({"autograder", "benchmarks", "labs", "nbgrader", "solutions", "tests"})
NOTEBOOK_ONLY = frozenset({"IPython", "ipywidgets"})
"""Inside a function of these two packages only, so that everything else runs without a notebook."""
NOTEBOOK_PACKAGES = frozenset({"check", "viz"})
LAB = re.compile(r"lab\d\d_\w+")


@dataclass(frozen=True)
class Import:
    """One imported module: `lazy` when it is imported as a function is called."""

    module: str
    line: int
    lazy: bool

    @property
    def top(self) -> str:
        """The top-level package."""
        return self.module.partition(".")[0]

    @property
    def part_of_lablib(self) -> str:
        """``gpu`` for ``lablib.gpu.trace``; empty for other packages and for lablib's own names."""
        parts = self.module.split(".")
        return parts[1] if parts[0] == "lablib" and len(parts) > 1 else ""


def imports(module: str, source: str, is_package: bool = False) -> list[Import]:
    """Return the imports of `source`, absolute; those that only a type checker sees are left out.

    Parameters
    ----------
    module : str
        The dotted name of the module that `source` defines, to resolve relative imports.
    source : str
        Python source text.
    is_package : bool
        Whether the source is an ``__init__.py``.
    """
    package = module.split(".") if is_package else module.split(".")[:-1]
    return list(_imports(ast.parse(source), package, lazy=False))


def _imports(node: ast.AST, package: list[str], lazy: bool) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(name.name, node.lineno, lazy) for name in node.names)
    elif isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        # `from lablib import viz` imports a module, `from lablib.viz import roofline` may: both are judged.
        yield from (Import(f"{base}.{name.name}", node.lineno, lazy) for name in node.names)
    elif isinstance(node, ast.Call) and ast.unparse(node.func) in {"importlib.import_module", "__import__"}:
        yield from (Import(ast.literal_eval(name), node.lineno, lazy) for name in node.args[:1] if _fixed(name))
    if isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
        children: list[ast.AST] = list(node.orelse)
    else:
        children = list(ast.iter_child_nodes(node))
    inside_function = lazy or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
    for child in children:
        yield from _imports(child, package, inside_function)


def _fixed(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def violations(module: str, source: str, is_package: bool = False) -> list[str]:
    """Return a sentence for each import of `source` that points the wrong way.

    Examples
    --------
    >>> violations("lablib.viz.roofline", "from lablib.gpu import trace")
    ['lablib.viz.roofline, line 1: lablib.viz imports no other part of lablib, but imports lablib.gpu']
    """
    top = module.partition(".")[0]
    judge = {"lablib": _in_lablib, "autograder": _in_autograder, "solutions": _in_a_lab}[top]
    found = imports(module, source, is_package)
    complaints = [(each.line, judge(module, each)) for each in found]
    unique = dict.fromkeys(complaint for complaint in complaints if complaint[1])
    return [f"{module}, line {line}: {sentence}" for line, sentence in unique]


def _in_lablib(module: str, found: Import) -> str:
    parts = module.split(".")
    own = parts[1] if len(parts) > 1 else ""
    if found.top in NEVER_IN_LABLIB:
        return f"lablib never imports {found.top}"
    if found.top in NOTEBOOK_ONLY and own not in NOTEBOOK_PACKAGES:
        return f"{found.top} is for lablib.viz and lablib.check"
    if found.top in NOTEBOOK_ONLY and not found.lazy:
        return f"{found.top} is imported inside a function, so that everything runs without a notebook"
    part = found.part_of_lablib
    allowed = MAY_IMPORT.get(own, GROUND)
    if not own and part:
        return f"importing lablib imports nothing else, but imports lablib.{part}"
    # A private or upper-case name of lablib itself is no module.
    if not part or part == own or part in allowed or not part.isidentifier() or not part[0].islower():
        return ""
    if not allowed:
        return f"lablib.{own} imports no other part of lablib, but imports lablib.{part}"
    return f"lablib.{own} imports {', '.join(sorted(allowed))} of lablib only, but imports lablib.{part}"


def _in_autograder(module: str, found: Import) -> str:
    if found.top in {"benchmarks", "labs", "solutions", "tests"}:
        return f"autograder never imports {found.top}"
    own = (module.split(".")[1:] or [""])[0]
    if own == "inside" and (found.top in NEVER_INSIDE or _of_autograder_outside(found)):
        return f"autograder.inside runs in the sandbox and never imports {found.module}"
    allowed = AUTOGRADER_MAY_IMPORT.get(own, frozenset({"check"}))
    if found.part_of_lablib not in {"", *allowed}:
        who = f"autograder.{own}" if own in AUTOGRADER_MAY_IMPORT else "autograder"
        which = " and ".join(f"lablib.{part}" for part in sorted(allowed))
        return f"{who} imports {which} only of lablib, but imports lablib.{found.part_of_lablib}"
    return ""


def _of_autograder_outside(found: Import) -> bool:
    return found.top == "autograder" and not re.match(r"autograder(\.inside\b|$)", found.module)


def _in_a_lab(module: str, found: Import) -> str:
    if found.top in NEVER_IN_A_LAB:
        return f"a lab never imports {found.top}"
    if LAB.fullmatch(found.top):
        return f"a lab never imports another lab, but imports {found.top}"
    return ""
