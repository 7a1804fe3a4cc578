"""Make text that came with a hand-in safe to show: on a page, in a terminal, in a spreadsheet.

Names, messages and sources of a hand-in are whatever its author wanted them to be. HTML is escaped by the page's
template; here goes what no escaping of HTML catches.
"""

from __future__ import annotations

import re
import unicodedata

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_JOINERS = "\u200c\u200d"  # Persian names and emoji are spelt with them
_TERMINAL_SEQUENCE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?|.)?", re.DOTALL)
# A spreadsheet that reads another separator than the file's splits fields where it was not asked to.
_FORMULA = re.compile(r'(^|[,;|])(?=[\s"]*[=+\-@＝＋－＠])')  # noqa: RUF001


def visible(text: str, most: int | None = None) -> str:
    """Drop terminal sequences and show invisible characters; newlines and tabs stay.

    Parameters
    ----------
    text : str
    most : int, optional
        Characters to keep; what is cut off is said.

    Examples
    --------
    >>> visible("\\x1b[31mred\\x1b[0m")
    'red'
    >>> visible("abcdef", most=3)
    'abc … (3 more characters)'
    """
    if most is not None and len(text) > most:
        return f"{visible(text[:most])} … ({len(text) - most} more characters)"
    text = _TERMINAL_SEQUENCE.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(REPLACEMENT if _is_hidden(character) else character for character in text)


def one_line(text: str, most: int | None = None) -> str:
    """Make text visible on one line."""
    return " ".join(visible(text, most).split())


def inert(text: str) -> str:
    """Write text on one line so that a spreadsheet shows it and never evaluates it.

    An apostrophe goes before whatever would begin a formula, as OWASP's page on CSV injection advises: at the
    start of the field, and after each character that some spreadsheet takes for a separator.

    Examples
    --------
    >>> inert('=HYPERLINK("http://example.org")')
    '\\'=HYPERLINK("http://example.org")'
    """
    return _FORMULA.sub(r"\1'", one_line(text))


def _is_hidden(character: str) -> bool:
    """Whether a character is a control, a half of a surrogate pair, or turns the direction of text."""
    if character in "\n\t" or character in _JOINERS:
        return False
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
