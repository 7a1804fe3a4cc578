"""Source text as a notebook shows it: numbered, highlighted, with each error under its line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path

from lablib.hls.engines import Package
from lablib.hls.source_errors import SourceError

__all__ = ["SourceListing"]

_PYGMENTS = Package("pygments", "pygments", "highlight source")
_LEXERS = {"C++": "cpp", "DSLX": "rust"}  # DSLX reads like Rust
_CLASSES = {
    "Keyword.Type": "type", "Keyword": "keyword", "Comment.PreprocFile": "string", "Comment.Preproc": "meta",
    "Comment": "comment", "Literal.String": "string", "Literal.Number": "number", "Name.Function": "function",
}  # fmt: skip
# Words that DSLX and ap_types.h have and the lexers do not know.
_TYPES = re.compile(r"[usb]\d+|[us]N|bits|token|chan|ap_u?(?:int|fixed)|AP_[A-Z_]+")
_KEYWORDS = re.compile(r"proc|config|init|next|spawn|recv|send|send_if|recv_if|join")


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
        return f"{self.name}: {self.language}, {self._found}"

    @property
    def _found(self) -> str:
        if self.note:
            return f"not checked. {self.note}"
        if self.errors:
            return f"{len(self.errors)} error{'s' if len(self.errors) > 1 else ''}."
        return "no errors."

    def __str__(self) -> str:
        rows = [(number, text) for number, text in enumerate(self.source.splitlines(), 1) if number >= self._first]
        lines = [self.verdict, *(error.message for error in self._elsewhere)]
        for number, text in rows:
            lines.append(f"{number:4d}  {text}")
            lines += [f"   >>  line {number}: {error.message}" for error in self.errors if error.line == number]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _first(self) -> int:
        """The number of the first line that is not empty."""
        return 1 + len(self.source) - len(self.source.lstrip("\n"))

    @property
    def _elsewhere(self) -> list[SourceError]:
        return [error for error in self.errors if not 0 < error.line <= len(self.source.splitlines())]

    def _repr_html_(self) -> str:
        rows = [_says(error.message) for error in self._elsewhere]
        for number, text in enumerate(self._highlighted(), 1):
            errors = [error for error in self.errors if error.line == number]
            if number >= self._first:
                kind = "bad" if errors else "line"
                rows.append(f'<div class="{kind}"><u>{number}</u>{text}\n</div>')
            rows += [_says(f"line {number}: {error.message}") for error in errors]
        state, sign = ("open", "?") if self.note else ("wrong", "✗") if self.errors else ("fine", "✓")
        head = f"<i>{sign}</i><b>{escape(self.name)}</b> <span>{self.language}</span> <em>{escape(self._found)}</em>"
        return (
            f'<style>{_style()}</style><details class="lab-listing" open><summary class="{state}">{head}</summary>'
            f"<pre>{''.join(rows)}</pre></details>"
        )

    def _highlighted(self) -> Iterator[str]:
        """Each line as HTML."""
        _PYGMENTS.require()
        from pygments.lexers import get_lexer_by_name

        places = {(error.line, error.column) for error in self.errors if error.column}
        lexer = get_lexer_by_name(_LEXERS[self.language], stripnl=False, ensurenl=False)
        number, column, line = 1, 1, ""
        for kind, text in lexer.get_tokens(self.source.rstrip("\n")):
            for part in re.split(r"(\n)", text):
                if part == "\n":
                    yield line
                    number, column, line = number + 1, 1, ""
                elif part:
                    here = any((number, column + offset) in places for offset in range(len(part)))
                    line += _coloured(part, str(kind).removeprefix("Token."), here)
                    column += len(part)
        yield line


def _coloured(text: str, kind: str, wrong: bool) -> str:
    found = next((name for start, name in _CLASSES.items() if kind.startswith(start)), "")
    if kind.startswith("Name"):
        found = "type" if _TYPES.fullmatch(text) else "keyword" if _KEYWORDS.fullmatch(text) else found
    html = f'<span class="{found}">{escape(text)}</span>' if found else escape(text)
    return f"<mark>{html}</mark>" if wrong and text.strip() else html


def _says(message: str) -> str:
    return f'<div class="bad says">⚠ {escape(message)}\n</div>'


@cache
def _style() -> str:
    return Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
