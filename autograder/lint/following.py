"""Follow a test cell in its order, loops once, and its own functions where they are called.

So a name is judged by what it stands for at that place.
"""

from __future__ import annotations

import ast
from collections import ChainMap
from collections.abc import Iterable

from autograder.lint.imports import Imports
from autograder.lint.origins import CALLABLE, NONE, Origin, Origins, StudentSide, called_name, items, mixed
from autograder.lint.results import CALLED, library_result, student_result

_LAZY, _LOCAL = frozenset({Origin.LAZY}), frozenset({Origin.LOCAL})


class Follower(ast.NodeVisitor):
    """Finds the origins of every expression, and the calls that reach the student's side.

    Attributes
    ----------
    origins : dict of ast.AST to Origins
    direct : set of ast.Call
        Calls of what a solution cell defines, and calls that hand it to a check or a helper.
    leading : set of ast.Call
        Calls of the cell's own functions in whose bodies there are such calls.
    """

    def __init__(self, imports: Imports, student: StudentSide) -> None:
        self.origins: dict[ast.AST, Origins] = {}
        self.direct: set[ast.Call] = set()
        self.leading: set[ast.Call] = set()
        self._imports, self._student = imports, student
        self._names: ChainMap[str, Origins] = ChainMap({}, dict(student.names))
        self._functions: dict[str, ast.FunctionDef] = {}
        self._classes: set[str] = set()
        self._entered: set[ast.FunctionDef] = set()
        self._active: list[ast.FunctionDef] = []
        self._returned: Origins = NONE

    def follow(self, tree: ast.Module) -> None:
        """Read the cell; then those of its functions that it only hands on, as callbacks."""
        self.visit(tree)
        while waiting := [function for function in self._functions.values() if function not in self._entered]:
            self._enter(waiting[0], {})

    def visit(self, node: ast.AST) -> Origins:
        found = super().visit(node)
        if isinstance(node, ast.expr):
            self.origins[node] = self._of(node) | found
        return found

    def generic_visit(self, node: ast.AST) -> Origins:
        return mixed(self._all(ast.iter_child_nodes(node)))

    def _of(self, node: ast.AST) -> Origins:
        return self.origins.get(node, NONE)

    def _all(self, nodes: Iterable[ast.AST]) -> Origins:
        return NONE.union(*[self.visit(node) for node in nodes])

    # Values.

    def visit_Name(self, node: ast.Name) -> Origins:
        return self._names.get(node.id, NONE) if isinstance(node.ctx, ast.Load) else NONE

    def visit_Attribute(self, node: ast.Attribute) -> Origins:
        base = items(self.visit(node.value))
        return base & {Origin.PART, Origin.CLAIM} or mixed(base)

    def visit_Subscript(self, node: ast.Subscript) -> Origins:
        self.visit(node.slice)
        return items(self.visit(node.value))

    def _visit_collection(self, node: ast.AST) -> Origins:
        return self._all(ast.iter_child_nodes(node))

    visit_Tuple = visit_List = visit_Set = visit_Dict = visit_Starred = visit_BoolOp = _visit_collection

    def visit_IfExp(self, node: ast.IfExp) -> Origins:
        self.visit(node.test)
        return self._all([node.body, node.orelse])

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Origins:
        names, self._names = self._names, self._names.new_child()
        self._all(node.generators)
        found = self._all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._names = names
        return found | _LAZY if isinstance(node, ast.GeneratorExp) else found

    visit_ListComp = visit_SetComp = visit_GeneratorExp = visit_DictComp = _visit_comprehension

    def visit_Lambda(self, node: ast.Lambda) -> Origins:
        names, self._names = self._names, self._names.new_child(_parameters(node))
        self.visit(node.body)
        self._names = names
        return NONE

    def visit_Call(self, node: ast.Call) -> Origins:
        function = self.visit(node.func)
        given = self._all([*node.args, *(keyword.value for keyword in node.keywords)])
        name = called_name(node)
        if not function and name in self._functions:
            return self._call(node, self._functions[name])
        if function & CALLED or given & CALLABLE:
            self.direct.add(node)
        if function & CALLED:
            receiver = self._of(node.func.value) if isinstance(node.func, ast.Attribute) else NONE
            return student_result(node, function, receiver, self._student.makers)
        if name in self._classes:
            return _LOCAL
        return library_result(name, self._imports.dotted(node.func), function, given)

    # The cell's own functions.

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Origins:
        self._all([*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)])
        self._functions[node.name] = node
        self._names[node.name] = NONE
        return NONE

    def visit_ClassDef(self, node: ast.ClassDef) -> Origins:
        self._classes.add(node.name)
        self._names[node.name] = _LOCAL
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef):
                self._enter(statement, {})
            else:
                self.visit(statement)
        return NONE

    def visit_Return(self, node: ast.Return) -> Origins:
        self._returned |= self.visit(node.value) if node.value else NONE
        return NONE

    def _call(self, node: ast.Call, function: ast.FunctionDef) -> Origins:
        names = [argument.arg for argument in function.args.args]
        given = {name: self._of(value) for name, value in zip(names, node.args, strict=False)}
        given |= {keyword.arg: self._of(keyword.value) for keyword in node.keywords if keyword.arg}
        returned = self._enter(function, given)
        if any(isinstance(part, (ast.Yield, ast.YieldFrom)) for part in ast.walk(function)):
            returned = _LAZY
        if any(part in self.direct or part in self.leading for part in ast.walk(function)):
            self.leading.add(node)
        return returned

    def _enter(self, function: ast.FunctionDef, given: dict[str, Origins]) -> Origins:
        """Read a function's body with these origins of its arguments; return those of its result."""
        if function in self._active:
            return NONE
        outer = self._names, self._returned
        self._names, self._returned = self._names.new_child(_parameters(function) | given), NONE
        self._entered.add(function)
        self._active.append(function)
        self._all(function.body)
        self._active.pop()
        returned = self._returned
        self._names, self._returned = outer
        return returned

    # Bindings.

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> Origins:
        self._names.update({alias.asname or alias.name.partition(".")[0]: NONE for alias in node.names})
        return NONE

    visit_ImportFrom = visit_Import

    def visit_Assign(self, node: ast.Assign) -> Origins:
        value = self.visit(node.value)
        for target in node.targets:
            self._bind(target, node.value, value)
        return NONE

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Origins:
        if node.value:
            self._bind(node.target, node.value, self.visit(node.value))
        return NONE

    def visit_NamedExpr(self, node: ast.NamedExpr) -> Origins:
        value = self.visit(node.value)
        self._bind(node.target, node.value, value)
        return value

    def visit_AugAssign(self, node: ast.AugAssign) -> Origins:
        value = self.visit(node.value)
        self.visit(node.target)
        if isinstance(node.target, ast.Name):
            self._names[node.target.id] = mixed(self._names.get(node.target.id, NONE) | value)
        return NONE

    def visit_For(self, node: ast.For) -> Origins:
        self._bind_items(node)
        return self._all([*node.body, *node.orelse])

    def visit_comprehension(self, node: ast.comprehension) -> Origins:
        self._bind_items(node)
        return self._all(node.ifs)

    def visit_withitem(self, node: ast.withitem) -> Origins:
        value = self.visit(node.context_expr)
        if node.optional_vars:
            self._bind(node.optional_vars, node.context_expr, value)
        return NONE

    def _bind_items(self, loop: ast.For | ast.comprehension) -> None:
        found = self.visit(loop.iter)
        # zip and enumerate keep apart what stands side by side.
        arguments = loop.iter.args if isinstance(loop.iter, ast.Call) else []
        apart = {"zip": arguments, "enumerate": [ast.Constant(0), *arguments]}.get(called_name(loop.iter), [])
        targets = loop.target.elts if isinstance(loop.target, ast.Tuple) else []
        if apart and len(targets) == len(apart):
            for target, iterable in zip(targets, apart, strict=True):
                self._bind(target, iterable, items(self._of(iterable)))
        else:
            self._bind(loop.target, loop.iter, items(found))

    def _bind(self, target: ast.expr, value: ast.expr, origins: Origins) -> None:
        if isinstance(target, ast.Name):
            self._names[target.id] = origins
        elif isinstance(target, (ast.Tuple, ast.List)):
            if isinstance(value, (ast.Tuple, ast.List)) and len(value.elts) == len(target.elts):
                for part, own in zip(target.elts, value.elts, strict=True):
                    self._bind(part, own, self._of(own))
            else:
                for part in target.elts:
                    self._bind(part, value, items(origins))
        else:
            self.visit(target)


def _parameters(function: ast.FunctionDef | ast.Lambda) -> dict[str, Origins]:
    """A function's own names hide those of the cell."""
    return {node.arg: NONE for node in ast.walk(function.args) if isinstance(node, ast.arg)}
