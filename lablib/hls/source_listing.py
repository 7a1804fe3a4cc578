"""Source text as a notebook shows it: numbered, highlighted, with each error under its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

from lablib.hls.engines import Package
from lablib.hls.source_errors import SourceError

__all__ = ["SourceListing"]

_PYGMENTS = Package("pygments", "pygments", "highlight source")
# The notebook's own colours, so that a dark theme stays readable.
_COLOURS = {
    "Keyword": "var(--jp-mirror-editor-keyword-color, #008000)",
    "Comment": "var(--jp-mirror-editor-comment-color, #408080)",
    "Comment.Preproc": "var(--jp-mirror-editor-meta-color, #7800c2)",
    "Comment.PreprocFile": "var(--jp-mirror-editor-string-color, #ba2121)",
    "Literal.String": "var(--jp-mirror-editor-string-color, #ba2121)",
    "Literal.Number": "var(--jp-mirror-editor-number-color, #666666)",
    "Name.Function": "var(--jp-mirror-editor-def-color, #0000ff)",
}
_LEXERS = {"C++": "cpp", "DSLX": "rust"}  # DSLX reads like Rust
_PRE = "margin:0; padding:0; line-height:1.35; overflow-x:auto"
_NUMBER = "display:inline-block; min-width:2em; text-align:right; margin-right:1em; opacity:0.6; user-select:none"
_ERROR = "font-weight:bold; border-left:3px solid var(--jp-error-color1, #d32f2f); padding-left:0.5em"


@dataclass(frozen=True)
class SourceListing:
    """Source text with what is wrong with it.

    Attributes
    ----------
    name, language, source
        ``"dense_cpp"``; ``"C++"`` or ``"DSLX"``; the text.
    errors
        None, or what the compiler says, by line.
    note
        A sentence to add: what could not be checked.
    """

    name: str
    language: str
    source: str
    errors: tuple[SourceError, ...] = ()
    note: str = ""

    @property
    def verdict(self) -> str:
        """One line on the whole."""
        if self.note:
            return f"{self.name}: {self.language}, not checked. {self.note}"
        if self.errors:
            return f"{self.name}: {self.language}, {len(self.errors)} error{'s' if len(self.errors) > 1 else ''}."
        return f"{self.name}: {self.language}, no errors."

    def __str__(self) -> str:
        rows = [(f"{number:4d}  {text}", number) for number, text in enumerate(self.source.splitlines(), 1)]
        lines = [self.verdict, *(error.message for error in self.errors if not 0 < error.line <= len(rows))]
        for text, number in rows:
            lines.append(text)
            lines += [f"   >>  line {number}: {error.message}" for error in self.errors if error.line == number]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = list(self._highlighted())
        lines = [_marked(error.message) for error in self.errors if not 0 < error.line <= len(rows)]
        for number, text in enumerate(rows, 1):
            lines.append(f'<span style="{_NUMBER}">{number}</span>{text}\n')
            lines += [_marked(f"line {number}: {error.message}") for error in self.errors if error.line == number]
        return f'<div>{escape(self.verdict)}</div><pre style="{_PRE}">{"".join(lines)}</pre>'

    def _highlighted(self) -> Iterator[str]:
        """Each line as HTML."""
        _PYGMENTS.require()
        from pygments.lexers import get_lexer_by_name

        lexer = get_lexer_by_name(_LEXERS[self.language], stripnl=False, ensurenl=False)
        line: list[str] = []
        for kind, text in lexer.get_tokens(self.source.rstrip("\n")):
            first, *others = text.split("\n")
            line.append(_coloured(first, kind))
            for other in others:
                yield "".join(line)
                line = [_coloured(other, kind)]
        yield "".join(line)


def _coloured(text: str, kind: Any) -> str:
    while kind.parent is not None and str(kind).removeprefix("Token.") not in _COLOURS:
        kind = kind.parent
    colour = _COLOURS.get(str(kind).removeprefix("Token."))
    return f'<span style="color:{colour}">{escape(text)}</span>' if colour and text else escape(text)


def _marked(message: str) -> str:
    return f'<span style="{_ERROR}">⚠ {escape(message)}</span>\n'
