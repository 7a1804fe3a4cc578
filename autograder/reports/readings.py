"""Answers as sequences of tokens, in which two of them can be compared whatever their layout."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from pygments.lexers import PythonLexer
from pygments.token import Token

MOST_CHARACTERS = 20_000  # of one answer: what comes later is not compared

_LEXER = PythonLexer(stripnl=False, ensurenl=False)
_PROSE = re.compile(r"\w+|[^\w\s]")
_OWN_NAME, _STRING = "name", "string"


@dataclass(frozen=True)
class Tokens:
    """The tokens that begin on one line, with names and comments (`words`) and without (`steps`)."""

    words: tuple[str, ...] = ()
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """An answer, line by line, and which lines are the released stub's.

    Attributes
    ----------
    lines : tuple of str
    tokens : tuple of Tokens
        Of each line.
    stub : frozenset of tuple of str
        Lines of the stub, as words.
    """

    lines: tuple[str, ...]
    tokens: tuple[Tokens, ...]
    stub: frozenset[tuple[str, ...]]

    @cached_property
    def own(self) -> tuple[Tokens, ...]:
        """Tokens of the lines that are not the stub's."""
        return tuple(line for line in self.tokens if line.words and line.words not in self.stub)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """The student's own tokens, as they were written."""
        return tuple(word for line in self.own for word in line.words)

    @cached_property
    def steps(self) -> tuple[str, ...]:
        """The student's own tokens, with own names taken as equal, strings too, and without comments."""
        return tuple(step for line in self.own for step in line.steps)


def read(source: str, kind: str, stub: str = "") -> Reading:
    """Read an answer; it need not be valid Python.

    Parameters
    ----------
    source : str
    kind : str
        "code", or "markdown": prose has words and no steps.
    stub : str
        The answer as it was released, of whose lines none counts.

    Examples
    --------
    >>> read("def f(x):\\n    y = x.sum()  # all\\n", "code", "def f(x):\\n    ...").steps
    ('name', '=', 'name', '.', 'sum', '(', ')')
    """
    source = source[:MOST_CHARACTERS]
    return Reading(tuple(source.split("\n")), _by_line(source, kind), _released(stub, kind))


@lru_cache(maxsize=64)
def _released(stub: str, kind: str) -> frozenset[tuple[str, ...]]:
    return frozenset(line.words for line in _by_line(stub, kind))


def _by_line(source: str, kind: str) -> tuple[Tokens, ...]:
    lines: list[tuple[list[str], list[str]]] = [([], []) for _ in source.split("\n")]
    for number, word, step in _code(source) if kind == "code" else _prose(source):
        lines[number][0].append(word)
        if step:
            lines[number][1].append(step)
    return tuple(Tokens(tuple(words), tuple(steps)) for words, steps in lines)


def _prose(source: str) -> Iterator[tuple[int, str, str]]:
    for number, line in enumerate(source.split("\n")):
        yield from ((number, word, "") for word in _PROSE.findall(line.lower()))


def _code(source: str) -> Iterator[tuple[int, str, str]]:
    """Line, word and step of each token; the step is empty for what does not run."""
    number, before = 0, ""
    for _, token, text in _LEXER.get_tokens_unprocessed(source):
        if text.strip():
            yield number, text.strip(), _step(token, text, before)
            before = text
        number += text.count("\n")


def _step(token: Any, text: str, before: str) -> str:
    if token in Token.Comment or token in Token.Literal.String.Doc:
        return ""
    if token in Token.Literal.String:
        return _STRING
    # What a library calls its functions cannot be renamed.
    if token in Token.Name and token not in Token.Name.Builtin and before != ".":
        return _OWN_NAME
    return text.strip()
