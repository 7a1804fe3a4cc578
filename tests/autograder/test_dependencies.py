from __future__ import annotations

from pathlib import Path

import pytest

from autograder import master
from autograder.dependencies import borrowed_names, dependent_tests, names

from .conftest import TINY, write_lab


@pytest.mark.parametrize(
    ("source", "defined", "read"),
    [
        ("x = y", {"x"}, {"y"}),
        ("def f(a, b=c):\n    d = a + e\n    return d", {"f"}, {"c", "e"}),
        ("import torch.nn as nn, os.path", {"nn", "os"}, set()),
        ("class A(B):\n    x = y", {"A"}, {"B", "y"}),
        ("def f():\n    global n\n    n = 1", {"f", "n"}, set()),
        ("model.head = 3", {"model"}, {"model"}),
        ("table[0].x[1] = 2", {"table"}, {"table"}),
        ("def f(out):\n    out[0] = 1", {"f"}, set()),
        ("total = [i for i in rows]", {"total"}, {"rows"}),
        ("for i in range(3):\n    pass", {"i"}, {"range"}),
    ],
)
def test_global_names_of_a_cell(source: str, defined: set[str], read: set[str]) -> None:
    found = names(source)
    assert (found.defined, found.read) == (defined, read)


def _tests_of(tmp_path: Path, text: str, cell: str) -> list[str]:
    return [test.id for test in dependent_tests(master.load(write_lab(tmp_path, text=text)), cell)]


def test_a_test_depends_on_what_it_calls(tmp_path: Path) -> None:
    assert _tests_of(tmp_path, TINY, "double") == ["test_double"]


def test_dependence_goes_through_other_cells(tmp_path: Path) -> None:
    text = TINY.replace("return math.pi * radius**2", "return math.pi * double(radius) * radius / 2")
    assert _tests_of(tmp_path, text, "double") == ["test_double", "test_area"]


def test_tests_that_share_a_variable_do_not_depend_on_each_other(tmp_path: Path) -> None:
    text = TINY.replace("assert double(2)", "x = double(2)\nassert x and double(2)")
    text = text.replace("assert math.isclose(area(1.0)", "x = 1.0\nassert math.isclose(area(x)")
    assert _tests_of(tmp_path, text, "double") == ["test_double"]


def test_a_cell_that_changes_an_object_in_place_counts_as_its_definer(tmp_path: Path) -> None:
    text = TINY.replace("import math\n", "import math\nimport types\nbox = types.SimpleNamespace()\n")
    text = text.replace(
        "    ### END SOLUTION\n\n# %% test_double", "    ### END SOLUTION\nbox.f = double\n\n# %% test_double"
    )
    text = text.replace("assert math.isclose(area(1.0), math.pi)", "assert math.isclose(area(box.f(0.5)), math.pi)")
    assert _tests_of(tmp_path, text, "double") == ["test_double", "test_area"]


@pytest.mark.parametrize(
    ("line", "borrowed"),
    [
        ("assert double(2) == len('abcd')", []),
        ("value = 2\nassert double(value) == 4", []),
        ("assert double(shown) == 2", ["shown"]),
    ],
)
def test_names_that_grading_will_not_have_are_found(tmp_path: Path, line: str, borrowed: list[str]) -> None:
    test = f'\n# %% look_shown\nshown = 1\n\n# %% test_double tags=["test", "core"] points=20 hours=1\n{line}\n'
    start, end = TINY.index("# %% test_double"), TINY.index("# %%", TINY.index("# %% test_double") + 1)
    lab = master.load(write_lab(tmp_path, text=TINY[:start].rstrip() + "\n" + test + "\n" + TINY[end:], wrong={}))
    assert borrowed_names(lab, lab.cell("test_double")) == borrowed
