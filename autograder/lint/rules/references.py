"""A lab's sources: each has a title and a year, so that a reader finds it when its address has gone."""

from __future__ import annotations

import re
from collections.abc import Iterator

from autograder.lint.finding import Finding
from autograder.master import Lab

SOURCES = "**Sources**"
_ARXIV = re.compile(r"arXiv:\d{4}\.\d{4,5}")
_TITLE = re.compile(r"\*[^*\s][^*]+\*|\"[^\"]+\"|“[^”]+”")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_END = re.compile(r";\s+|(?<![A-Z])\.\s+(?=[A-Z])")
# Documents that their publisher keeps up to date have no year.
_LIVING = re.compile(
    r"data ?sheet|documentation|guide|\bISA\b|\brules\b|specification|whitepaper|^Data:|lablib|docs/|_logging|\.io\b",
    re.IGNORECASE,
)


def undated(lab: Lab) -> Iterator[Finding]:
    """A source without a title, or without a year."""
    for cell in lab.cells:
        if cell.kind != "markdown" or SOURCES not in cell.source:
            continue
        before, _, sources = cell.source.partition(SOURCES)
        line = cell.line + before.count("\n") + 1
        for item in re.split(r"\n(?=[*-] )", sources):
            for lack, reference in faults(item):
                text = f"the source {reference!r} has no {lack}; write authors: *title*, where, year"
                yield Finding(lab.path, line, cell.id, text)
            line += item.count("\n") + 1


def faults(item: str) -> Iterator[tuple[str, str]]:
    """What each reference of an item lacks, and the reference.

    Examples
    --------
    >>> list(faults("* Ho, Jain, Abbeel: *Denoising diffusion*, arXiv:2006.11239."))
    [('year', 'Ho, Jain, Abbeel: *Denoising diffusion*, arXiv:2006.11239')]
    >>> list(faults("* Ho et al., arXiv:2006.11239, 2020. The chain. NVIDIA: *H200 datasheet*."))
    [('title', 'Ho et al., arXiv:2006.11239, 2020')]
    """
    for part in _END.split(" ".join(item.lstrip("*- ").split())):
        reference = part.rstrip(".")
        bare, title = _ARXIV.sub("", reference), _TITLE.search(reference)
        year = _YEAR.search(bare)
        if _LIVING.search(reference) or not (title or year or bare != reference):
            continue
        if not title:
            yield "title", reference
        elif not year:
            yield "year", reference


RULES = [undated]
