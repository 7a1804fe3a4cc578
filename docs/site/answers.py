"""What students must not see of a lab: its solutions, hidden tests, model explanations and rubrics, line by line."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

from autograder import bridge
from autograder.master import Lab

LEAST = 16  # characters: shorter lines, such as `return y`, say nothing
_REGION = re.compile(r"### BEGIN (?:SOLUTION|HIDDEN TESTS)\n(.*?)\n\W*### END", re.DOTALL)


def answer_lines(lab: Lab) -> frozenset[str]:
    """Lines of a lab that are not released, each as `plain` writes it.

    Examples
    --------
    >>> from autograder import master
    >>> lines = answer_lines(master.load("solutions/_template/labNN_slug.py"))
    >>> "torch.cumsum" in " ".join(lines), "def running_mean" in " ".join(lines)
    (True, False)
    """
    released = plain(html.unescape("\n".join(cell.source for cell in bridge.release_notebook(lab).cells)))
    secret = [region for cell in lab.cells for region in _REGION.findall(cell.source)]
    secret += [cell.source for cell in lab.rubric_cells]
    lines = {plain(line) for text in secret for line in text.splitlines()}
    return frozenset(line for line in lines if len(line) >= LEAST and line not in released)


def gives_away(content: Any, lines: frozenset[str]) -> bool:
    """Whether any text in `content` (strings, lists and dicts, nested) has one of the lines."""
    texts = [plain(text) for text in _texts(content)]
    return any(line in text for text in texts for line in lines)


def plain(text: str) -> str:
    """`text` with every run of white space as one space."""
    return " ".join(text.split())


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _texts(value)
    elif isinstance(content, list):
        for value in content:
            yield from _texts(value)
