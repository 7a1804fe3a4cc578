"""What a test says through proxies means what it means in a notebook, or is refused with a sentence."""

from __future__ import annotations

import pytest

from autograder.run import run_in_subprocess


def test_every_way_of_saying_something_works_in_a_notebook(protocol_lab) -> None:
    report = run_in_subprocess(protocol_lab, variants=False)
    assert {test: outcome.message for test, outcome in report.solution.items() if not outcome.passed} == {}


def test_every_way_of_saying_something_works_before_the_judge(hear, protocol_lab) -> None:
    verdict = hear(protocol_lab, {})
    assert {test: outcome.message for test, outcome in verdict.outcomes.items() if not outcome.passed} == {}
    assert verdict.remarks == []


FUNCTION = "def answer(x):\n    return x"
OBJECT = """
class Box:
    def __init__(self, value):
        self.value = value

    def get(self):
        return self.value
"""
NESTED = """
def answer():
    value = 1
    for _ in range(100):
        value = [value]
    return value
"""

REFUSED = [
    (FUNCTION, "answer(i for i in range(3))", "pass a list, or a function"),
    (FUNCTION, "class Local:\n    pass\n\n\nanswer(Local())", "does not have: pass plain values or functions"),
    (FUNCTION, "answer.rate = 3", "setting .rate of a student's object"),
    (FUNCTION, "assert answer", "the truth of a student's name"),
    (FUNCTION, "assert answer == 3", "== on a student's name: compare plain values"),
    (OBJECT, "box = Box(1)\nbox.value = 2", "setting .value of a student's object"),
    (OBJECT, "assert Box(1) == Box(1)", "== on a student's Box"),
    (OBJECT, "Box(1)()", "a call of a Box, whose contract declares no __call__"),
    (OBJECT, "box = Box(torch.ones)\nbox.value(3)", "the method value of a Box, which its contract does not declare"),
    ("def answer():\n    import decimal\n    return decimal.Decimal(1)", "answer().sqrt()", "a test may not ask .sqrt"),
    ("def answer(x):\n    return x * x", "x = torch.ones(3, requires_grad=True)\n"
     "(g,) = torch.autograd.grad(answer(x).sum(), x, create_graph=True)\ng.sum().backward()",
     "a gradient of a gradient"),
    ("def answer(x):\n    x += 1\n    return x", "y = answer(torch.ones(3))", "modified tensor 0 of its arguments"),
    ("def answer():\n    return torch.ones(3).to_sparse()", "answer()", "a tensor of layout torch.sparse_coo"),
    (NESTED, "answer()", "nested deeper"),
]  # fmt: skip


@pytest.mark.parametrize(("solution", "test", "sentence"), REFUSED)
def test_what_cannot_be_said_is_refused_with_a_sentence(hear, lab_of, solution: str, test: str, sentence: str) -> None:
    outcome = hear(lab_of(solution, test), {}).outcomes["test_answer"]
    assert outcome.status == "failed"
    assert sentence in outcome.message


VECTOR = """
class Vector:
    def __init__(self, *parts):
        self.parts = list(parts)

    def __add__(self, other):
        return Vector(*(a + b for a, b in zip(self.parts, other.parts)))

    def __rmul__(self, factor):
        return Vector(*(factor * part for part in self.parts))

    def __lt__(self, other):
        return self.parts < other.parts

    def __getitem__(self, index):
        return self.parts[index]

    def __len__(self):
        return len(self.parts)
"""


def test_declared_operators_work(hear, lab_of) -> None:
    test = "v, w = Vector(1, 2), Vector(3, 4)\nassert (v + 2 * w).parts == [7, 10]\n"
    test += "assert v < w and w[1] == 4 and len(v) == 2"
    assert hear(lab_of(VECTOR, test), {}).outcomes["test_answer"].message == ""
    undeclared = hear(lab_of(VECTOR, "Vector(1) - Vector(2)"), {})
    assert "unsupported operand" in undeclared.outcomes["test_answer"].message


RAISED = [
    ("def answer():\n    raise ValueError('too small')", "assert check.raises(ValueError, answer) == 'too small'"),
    ("class Odd(KeyError):\n    pass\n\n\ndef answer():\n    raise Odd('k')",
     "assert 'Odd' in check.raises(KeyError, answer)"),
    ("def answer(f):\n    try:\n        f()\n    except RuntimeError as error:\n        return str(error)",
     "def broken():\n    raise OSError('no disk')\n\n\nassert answer(broken) == 'OSError: no disk'"),
    ("RATE = 3\n\n\ndef answer():\n    return RATE", "assert RATE == answer() == 3"),
]  # fmt: skip


@pytest.mark.parametrize(("solution", "test"), RAISED)
def test_errors_and_values_cross(hear, lab_of, solution: str, test: str) -> None:
    assert hear(lab_of(solution, test), {}).outcomes["test_answer"].message == ""


def test_an_assertion_that_fails_in_a_callback_fails_the_test(hear, lab_of) -> None:
    solution = "def answer(f):\n    try:\n        f()\n    except Exception:\n        pass"
    test = "def look():\n    assert False, 'seen'\n\n\nanswer(look)"
    assert "seen" in hear(lab_of(solution, test), {}).outcomes["test_answer"].message


def test_a_stop_iteration_does_not_end_the_tests_own_loop(hear, lab_of) -> None:
    solution = "def answer(x):\n    raise StopIteration"
    outcome = hear(lab_of(solution, "list(map(answer, range(3)))"), {}).outcomes["test_answer"]
    assert outcome.status == "failed"
    assert "StopIteration" in outcome.message
