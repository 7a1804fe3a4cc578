"""Copies are found, honest answers are not, and the stub counts for nothing."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from autograder.master import Lab
from autograder.master_cells import Cell
from autograder.reports import readings
from autograder.reports.similarity import FEWEST_TOKENS, PUBLISHED, compare

STUB = "def area(radius):\n    # Fill in the steps.\n    raise NotImplementedError"
NAMES = ["acc", "base", "col", "data", "end", "first", "grid", "head", "idx", "job", "key", "left", "mask", "node"]
STEPS = [
    "{0} = {1} * {2} + {n}",
    "{0} = torch.{f}({1})",
    "for {0} in range({2}.shape[{n}]):\n        {1} += {0}",
    "if {0} > {1}:\n        {2} = {0}",
    "{0} = {1}.{f}(dim={n})",
    "{0} = [{1} for {2} in {0}]",
    "while {0} > {n}:\n        {0} -= 1",
    "{0} = {1}[{2} : {2} + {n}]",
    "{0}, {1} = {1}, {0} % {n}",
    "assert {0} is not None, '{1} is missing'",
]


def program(number: int) -> str:
    """An answer of twelve steps that no two numbers have in common."""
    rng = random.Random(number)
    names = rng.sample(NAMES, 6)
    lines = [
        rng.choice(STEPS).format(*rng.sample(names, 3), f=rng.choice(["exp", "sum", "log", "max"]), n=rng.randint(0, 9))
        for _ in range(12)
    ]
    return "def area(radius):\n    " + "\n    ".join(lines) + f"\n    return {names[0]}"


def renamed(source: str, comment: str = "", prefix: str = "my") -> str:
    """The source with other names, another layout and a comment."""
    source = re.sub(r"\b(" + "|".join(NAMES) + r")\b", lambda match: f"{prefix}_{match[0]}", source)
    return source.replace(" = ", "  =  ").replace("\n    ", f"\n    # {comment}\n    ", 1)


@pytest.fixture
def one_cell() -> Lab:
    return Lab("lab90", Path("lab90.py"), (Cell("area", "solution", "code", ""), Cell("why", "manual", "markdown", "")))


def _class(size: int, **others: str) -> dict[str, dict[str, str]]:
    honest = {f"s{number:03d}": {"area": program(number)} for number in range(size)}
    return honest | {student: {"area": source} for student, source in others.items()}


def _compare(lab: Lab, answers: dict[str, dict[str, str]], solution: str = "", stub: str = STUB):
    return compare(lab, answers, {"area": solution}, {"area": stub})


def test_honest_answers_are_not_listed(one_cell: Lab) -> None:
    found = _compare(one_cell, _class(40), program(999))
    assert (found.pairs, found.same, found.uniform) == ([], [], [])


def test_a_renamed_copy_is_found(one_cell: Lab) -> None:
    (pair,) = _compare(one_cell, _class(40, thief=renamed(program(7), "mine"))).pairs
    assert pair.students == ("s007", "thief")
    assert pair.steps == pair.score == 1.0
    assert pair.words < 0.85


def test_a_copy_with_a_few_other_steps_is_found(one_cell: Lab) -> None:
    lines = program(7).split("\n")
    lines[3:3] = ["    extra = 1"]
    (pair,) = _compare(one_cell, _class(40, thief="\n".join(lines))).pairs
    assert pair.students == ("s007", "thief")
    assert 0.9 < pair.steps < 1.0


def test_equal_answers_are_one_group_whatever_their_layout(one_cell: Lab) -> None:
    spaced = program(7).replace("\n", "\n\n").replace("=", " = ")
    found = _compare(one_cell, _class(40, thief=program(7), fence=spaced))
    assert found.pairs == []
    (same,) = found.same
    assert same.students == ["fence", "s007", "thief"]
    assert same.tokens >= FEWEST_TOKENS


def test_the_published_solution_is_a_source(one_cell: Lab) -> None:
    solution = program(999)
    found = _compare(one_cell, _class(40, reader=solution, thief=renamed(solution)), solution)
    assert [same.students for same in found.same] == [["reader", PUBLISHED]]
    assert [pair.students for pair in found.pairs] == [("reader", "thief")]


def test_the_stub_does_not_count(one_cell: Lab) -> None:
    stub = program(1000)
    answers = {name: {"area": f"{stub}\n    {name} = {n}"} for n, name in enumerate(NAMES)}
    assert _compare(one_cell, answers, stub=stub).same == []
    assert _compare(one_cell, answers, stub="").uniform == ["area"]


def test_a_short_answer_is_alike_by_chance(one_cell: Lab) -> None:
    found = _compare(one_cell, _class(40, a="return 3 * radius", b="return 3 * radius"))
    assert (found.pairs, found.same) == ([], [])


def test_an_answer_that_most_give_says_nothing(one_cell: Lab) -> None:
    answers = _class(10) | {f"n{number}": {"area": renamed(program(5), f"by {number}")} for number in range(30)}
    found = _compare(one_cell, answers)
    assert (found.pairs, found.uniform) == ([], ["area"])


def test_where_all_take_the_same_steps_two_that_took_one_more_are_no_pair(one_cell: Lab) -> None:
    answers = {
        f"s{number:02d}": {"area": renamed(program(5), "", f"p{number}") + f"\n    print({number // 2}, 'done')"}
        for number in range(20)
    }
    found = _compare(one_cell, answers)
    assert (found.pairs, found.uniform) == ([], [])


def test_a_pair_is_much_closer_than_the_class_usually_is(one_cell: Lab) -> None:
    def varied(number: int) -> str:
        common, own = program(5).split("\n"), program(100 + number).split("\n")
        return "\n".join(common[:-1] + own[1:6] + common[-1:])

    answers = {f"s{number:02d}": {"area": varied(number)} for number in range(20)}
    assert _compare(one_cell, answers).pairs == []
    thief = varied(3).replace("return", "acc = None\n    return")
    (pair,) = _compare(one_cell, answers | {"thief": {"area": thief}}).pairs
    assert pair.students == ("s03", "thief")


def test_an_answer_that_many_share_is_common(one_cell: Lab) -> None:
    answers = _class(30) | {f"n{number}": {"area": renamed(program(5), f"by {number}")} for number in range(10)}
    found = _compare(one_cell, answers)
    assert (found.pairs, found.uniform) == ([], [])


def test_in_a_small_class_likeness_alone_counts(one_cell: Lab) -> None:
    (same,) = _compare(one_cell, {"a": {"area": program(1)}, "b": {"area": program(1)}}).same
    assert same.students == ["a", "b"]


def test_excerpts_mark_what_is_shared_and_what_is_the_stubs(one_cell: Lab) -> None:
    copy = renamed(program(7)) + "\n    only_here()"
    (pair,) = _compare(one_cell, _class(40, thief=copy), stub="def area(radius):").pairs
    origins = {line.text.strip(): line.origin for line in pair.excerpts[1]}
    assert origins["def area(radius):"] == "stub"
    assert origins["only_here()"] == "own"
    assert [line.text for line in pair.excerpts[1]] == copy.split("\n")
    assert sum(line.origin == "shared" for line in pair.excerpts[0]) >= 12


def test_prose_is_compared_by_its_words(one_cell: Lab) -> None:
    rng = random.Random(0)
    words = [f"word{number}" for number in range(200)]
    essays = {f"s{number}": {"why": " ".join(rng.sample(words, 80))} for number in range(20)}
    essays["thief"] = {"why": essays["s3"]["why"].replace(" ", "\n").upper() + " Indeed."}
    (pair,) = compare(one_cell, essays, {}, {}).pairs
    assert (pair.cell, pair.students, pair.steps) == ("why", ("s3", "thief"), 0.0)


@pytest.mark.parametrize("source", ["def f(:\n  '''", "\0\ud800\x1b[31m", "x" * 300_000, "(" * 5000, "'\\" * 5000, ""])
def test_anything_can_be_read(source: str) -> None:
    reading = readings.read(source, "code")
    assert len(reading.lines) == len(reading.tokens)
    assert sum(map(len, reading.words)) <= readings.MOST_CHARACTERS


def test_the_result_does_not_depend_on_the_order_of_hand_ins(one_cell: Lab) -> None:
    answers = _class(20, thief=renamed(program(7)), other=program(9))
    backwards = dict(reversed(answers.items()))
    assert _compare(one_cell, answers) == _compare(one_cell, backwards)
