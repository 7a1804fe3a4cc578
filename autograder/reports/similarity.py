"""Answers that are more alike than a class's answers are by chance: a hint where to look, never a proof.

Answers are compared as sequences of tokens by their longest common subsequence (RapidFuzz), in two readings:
*words*, with names and comments as they were written, and *steps*, with the student's own names taken as equal and
comments left out, which renaming does not change. Lines of the released stub do not count. What many hand-ins
share is how an exercise is naturally solved: listed is only what few share, and what is much closer than two
answers of the class usually are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Indel

from autograder.master import Lab
from autograder.master_cells import Cell
from autograder.reports import readings
from autograder.reports.readings import Reading, Tokens

PUBLISHED = "the published solution"
ALIKE = 0.85  # share of tokens in common below which two answers are not alike
CLOSER = 3  # times as close as two answers of the class usually are
FEWEST_TOKENS = 40  # own tokens below which answers are alike by chance
FEWEST_ANSWERS = 8  # below which there is no "usually"
COMMON_SHARE = 0.05  # of the class: an answer that more than these share is common

Answers = Mapping[str, str]
"""Sources of one hand-in, by cell id."""


@dataclass(frozen=True)
class Line:
    """A line of an excerpt: from the "stub", "shared" with the other answer, or the student's "own"."""

    text: str
    origin: str


@dataclass(frozen=True)
class Pair:
    """Two unequal answers to a cell that are alike.

    Attributes
    ----------
    cell : str
    students : (str, str)
        The second may be `PUBLISHED`.
    score : float
        The larger of `words` and `steps`.
    words, steps : float
        Share of tokens in common, 0 to 1, in the two readings.
    excerpts : (list of Line, list of Line)
        The two answers.
    """

    cell: str
    students: tuple[str, str]
    score: float
    words: float
    steps: float
    excerpts: tuple[list[Line], list[Line]]


@dataclass(frozen=True)
class SameAnswer:
    """An answer that several give word for word.

    Attributes
    ----------
    cell : str
    students : list of str
        In order; `PUBLISHED` comes last.
    tokens : int
        Of the answer, without the stub's: the more, the less likely is chance.
    source : str
    """

    cell: str
    students: list[str]
    tokens: int
    source: str


@dataclass(frozen=True)
class Similarity:
    """What a comparison of the whole class found.

    Attributes
    ----------
    pairs : list of Pair
        The most similar first. Of answers that are equal word for word one stands for all.
    same : list of SameAnswer
        The longest first.
    uniform : list of str
        Cells in which the class's answers usually are alike, so that nothing follows from it.
    """

    pairs: list[Pair] = field(default_factory=list)
    same: list[SameAnswer] = field(default_factory=list)
    uniform: list[str] = field(default_factory=list)


def compare(lab: Lab, answers: Mapping[str, Answers], solution: Answers, stubs: Answers) -> Similarity:
    """Compare every two hand-ins, and each with the published solution, cell by cell.

    Parameters
    ----------
    lab : Lab
    answers : dict of str to dict of str to str
        By student and cell, code or prose.
    solution, stubs : dict of str to str
        Published solution and released stub, by cell.
    """
    found = Similarity()
    most = max(3, round(COMMON_SHARE * len(answers)))
    for cell in lab.of_role("solution", "manual"):
        groups = _groups(cell, answers, solution, stubs)
        if not groups:
            continue
        sizes = np.array([len(group.students) for group in groups])
        words = _matrix([group.reading.words for group in groups])
        steps = _matrix([group.reading.steps for group in groups])
        if _usual(words, sizes) >= ALIKE:
            found.uniform.append(cell.id)
            continue
        notable = _notable(words, sizes, most) | _notable(steps, sizes, most)
        found.pairs.extend(_pairs(cell, groups, words, steps, notable))
        found.same.extend(_same(cell, group) for group in groups if len(group.students) > 1)
    found.pairs.sort(key=lambda pair: (-pair.score, -pair.words, pair.cell, pair.students))
    found.same.sort(key=lambda same: (-same.tokens, same.cell, same.students))
    return found


@dataclass(frozen=True)
class _Group:
    """Hand-ins that give one answer, word for word."""

    students: list[str]
    reading: Reading


def _groups(cell: Cell, answers: Mapping[str, Answers], solution: Answers, stubs: Answers) -> list[_Group]:
    """Answers to a cell that are long enough to compare, each with who gives it."""
    stub = stubs.get(cell.id, "")
    groups: dict[tuple[str, ...], _Group] = {}
    for student, own in [*sorted(answers.items()), (PUBLISHED, solution)]:
        reading = readings.read(own.get(cell.id, ""), cell.kind, stub)
        if len(reading.words) >= FEWEST_TOKENS:
            groups.setdefault(reading.words, _Group([], reading)).students.append(student)
    return list(groups.values())


def _matrix(sequences: list[tuple[str, ...]]) -> np.ndarray:
    """Share of tokens that each two sequences have in common, in order."""
    matrix = process.cdist(sequences, sequences, scorer=Indel.normalized_similarity, dtype=np.float32)
    matrix[[not sequence for sequence in sequences]] = 0.0  # two empty sequences are no evidence
    return matrix


def _usual(similarity: np.ndarray, sizes: np.ndarray) -> float:
    """How alike two hand-ins of the class are in the median; 0 for a small class."""
    hand_ins = np.repeat(np.arange(len(sizes)), sizes)
    if len(hand_ins) < FEWEST_ANSWERS:
        return 0.0
    return float(np.median(similarity[np.ix_(hand_ins, hand_ins)][np.triu_indices(len(hand_ins), 1)]))


def _notable(similarity: np.ndarray, sizes: np.ndarray, most: int) -> np.ndarray:
    """Which pairs of groups are alike for this class, in answers that at most `most` others share."""
    usual = _usual(similarity, sizes)
    if usual >= ALIKE:
        return np.zeros_like(similarity, bool)
    alike = similarity >= max(ALIKE, 1 - (1 - usual) / CLOSER)
    rare = alike @ sizes - 1 <= most
    return alike & rare[:, None] & rare[None, :]


def _pairs(
    cell: Cell, groups: list[_Group], words: np.ndarray, steps: np.ndarray, notable: np.ndarray
) -> Iterator[Pair]:
    for i, j in np.argwhere(np.triu(notable, 1)):
        a, b = groups[i], groups[j]
        excerpts = _excerpt(a.reading, b.reading), _excerpt(b.reading, a.reading)
        two = float(words[i, j]), float(steps[i, j])
        yield Pair(cell.id, (a.students[0], b.students[0]), max(two), *two, excerpts)


def _same(cell: Cell, group: _Group) -> SameAnswer:
    return SameAnswer(cell.id, group.students, len(group.reading.words), "\n".join(group.reading.lines))


def _excerpt(reading: Reading, other: Reading) -> list[Line]:
    def steps(tokens: Tokens) -> tuple[str, ...]:
        return tokens.steps or tokens.words

    theirs = {steps(tokens) for tokens in other.own}
    lines = []
    for text, tokens in zip(reading.lines, reading.tokens, strict=True):
        own = tokens.words and tokens.words not in reading.stub
        lines.append(Line(text, "stub" if not own else "shared" if steps(tokens) in theirs else "own"))
    return lines
