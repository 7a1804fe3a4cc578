"""Which test cells can a solution cell change? Read from the names that cells define and use."""

from __future__ import annotations

import ast
import builtins
import symtable
from collections.abc import Iterator
from dataclasses import dataclass

from autograder.master import Lab
from autograder.master_cells import Cell


@dataclass(frozen=True)
class Names:
    """Global names that a cell binds (or changes in place), and those that it reads."""

    defined: frozenset[str]
    read: frozenset[str]


def names(source: str) -> Names:
    """Global names of a cell, those inside its functions included.

    Examples
    --------
    >>> names("def f(x): return g(x) + y").read
    frozenset({'g', 'y'})
    """
    top = symtable.symtable(source, "<cell>", "exec")
    defined: set[str] = set()
    read: set[str] = set()
    for table in _scopes(top):
        for symbol in table.get_symbols():
            if table is not top and not symbol.is_global():
                continue
            if symbol.is_assigned() or symbol.is_imported() or (table is top and symbol.is_namespace()):
                defined.add(symbol.get_name())
            if symbol.is_referenced():
                read.add(symbol.get_name())
    defined.update(name for name in _changed_in_place(source) if name in read)  # a local list is no global
    return Names(frozenset(defined), frozenset(read))


def dependent_tests(lab: Lab, solution_id: str) -> list[Cell]:
    """Test cells whose outcome can change when the solution cell `solution_id` changes."""
    known = {cell.id: names(cell.source) for cell in lab.of_role("setup", "solution", "test")}
    return [cell for cell in lab.test_cells if solution_id in _needs(lab, known, cell)]


def _scopes(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    yield table
    for child in table.get_children():
        yield from _scopes(child)


def _changed_in_place(source: str) -> Iterator[str]:
    """Bases of `model.head = ...` and `table[key] = ...`: later readers of the name see the change."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Attribute, ast.Subscript)) and isinstance(node.ctx, ast.Store):
            base: ast.expr = node
            while isinstance(base, (ast.Attribute, ast.Subscript)):
                base = base.value
            if isinstance(base, ast.Name):
                yield base.id


def _needs(lab: Lab, known: dict[str, Names], test: Cell) -> set[str]:
    """Ids of the cells that `test` reads from, directly or through other cells."""
    reached: set[str] = set()
    waiting = [test.id]
    while waiting:
        cell_id = waiting.pop()
        for name in known[cell_id].read:
            new = _definers(lab, known, cell_id, name) - reached - {cell_id}
            reached |= new
            waiting += new
    return reached


def _definers(lab: Lab, known: dict[str, Names], reader: str, name: str) -> set[str]:
    """Cells from which `reader` may have `name`; tests reuse names such as x, so their own binding wins."""
    found = {cell.id for cell in lab.of_role("setup", "solution") if name in known[cell.id].defined}
    if found or name in known[reader].defined:
        return found
    return {cell.id for cell in lab.test_cells if name in known[cell.id].defined}


def borrowed_names(lab: Lab, test: Cell) -> list[str]:
    """Names that a test cell reads and that only a demonstration or another test binds.

    In grading demonstrations do not run, and a test may not rest on another one.
    """
    own = names(test.source)
    given = set().union(*(names(cell.source).defined for cell in lab.of_role("setup", "solution")))
    return sorted(own.read - own.defined - given - set(dir(builtins)))
