"""A widget of speculative decoding: a text grows pass by pass, from tokens that were guessed and then checked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lablib.viz.svg import node, paint, text, titled
from lablib.viz.units import plural
from lablib.viz.view import View, read

_TITLE = "Which guesses stand?"
_STILL = 12  # passes of the picture that stands still
_LINE, _CHARACTER, _WIDTH = 26, 8, 760
_LOOKS = {"accepted": "good", "refused": "bad", "void": "muted", "own": "accent"}


class Drafts(View):
    """The widget that `draft_tokens` returns; its summary counts passes, tokens and guesses."""

    _esm = read("view.js", "drafts.js")
    _css = read("view.css", "drafts.css")


def draft_tokens(prompt: str, passes: Sequence[tuple[Sequence[str], Sequence[str]]]) -> Drafts:
    """Show what each pass of the target accepted, refused and wrote itself.

    Parameters
    ----------
    prompt
        The text before the first pass.
    passes
        For each pass the tokens that were drafted and those that were written, as strings: all written ones but the
        last are drafted ones that were accepted, the last is the target's own.

    Returns
    -------
    Drafts
        Displays in Jupyter; ``to_html()`` gives a page of its own, ``picture`` the first passes as SVG.

    Raises
    ------
    ValueError
        When there is no pass, or one wrote nothing, more than its draft and one, or another text than the draft's.

    Examples
    --------
    >>> draft_tokens("He", [(["a", "r"], ["a", "d"]), (["e", "r"], ["e", "r", "s"])])
    2 passes wrote 5 tokens, 2.50 a pass: 3 of 4 guesses accepted, 1 refused, 0 never looked at.
    """
    rows = [_row(number, list(drafted), list(written)) for number, (drafted, written) in enumerate(passes, 1)]
    if not rows:
        raise ValueError("there is nothing to show: passes is empty; each pass is a pair (drafted, written)")
    kinds = [kind for row in rows for _, kind in row]
    count = {kind: kinds.count(kind) for kind in _LOOKS}
    tokens, guesses = count["accepted"] + count["own"], len(kinds) - count["own"]
    summary = (
        f"{plural(len(rows), 'pass')} wrote {plural(tokens, 'token')}, "
        f"{tokens / len(rows):.2f} a pass: {count['accepted']} of {plural(guesses, 'guess')} "
        f"accepted, {count['refused']} refused, {count['void']} never looked at."
    )
    content = {"title": _TITLE, "summary": summary, "prompt": prompt, "passes": rows}
    return Drafts(content, summary, titled(_TITLE, summary, *_still(rows)))


def _row(number: int, drafted: list[str], written: list[str]) -> list[list[str]]:
    """Each token of a pass with what became of it; the target's own stands where the first refused one stood."""
    accepted = len(written) - 1
    if not 0 <= accepted <= len(drafted) or written[:accepted] != drafted[:accepted]:
        raise ValueError(
            f"pass {number} drafted {drafted} and wrote {written}: expected a beginning of the draft and one token more"
        )
    row = [[token, "accepted"] for token in drafted[:accepted]]
    row += [[token, "refused"] for token in drafted[accepted : accepted + 1]]
    row.append([written[-1], "own"])
    return row + [[token, "void"] for token in drafted[accepted + 1 :]]


def _still(rows: list[list[list[str]]]) -> tuple[str, float, float]:
    """The first passes, a line each: tokens in boxes, with a line through what does not stand."""
    parts: list[str] = []
    for index, row in enumerate(rows[:_STILL]):
        x, y = 90.0, index * _LINE
        parts.append(text(12, y + 17, f"pass {index + 1}", "muted"))
        for token, kind in row:
            shown = visible(token)
            width = _CHARACTER * len(shown) + 12
            parts.append(_box(x, y, width, shown, kind))
            x += width + 6
    names = "green: accepted; struck out: refused; double frame: the target's own; dashed: never looked at"
    parts.append(text(12, len(rows[:_STILL]) * _LINE + 18, names, "muted"))
    return "".join(parts), float(_WIDTH), float(len(rows[:_STILL]) * _LINE + 30)


def _box(x: float, y: float, width: float, shown: str, kind: str) -> str:
    look: dict[str, Any] = {"fill": "none", "stroke": paint(_LOOKS[kind]), "rx": 4}
    look |= {"stroke_width": 3} if kind == "own" else {"stroke_dasharray": "3 3"} if kind == "void" else {}
    drawn = node("rect", x=x, y=y + 2, width=width, height=_LINE - 5, **look)
    through = "line-through" if kind == "refused" else "none"
    colour, middle = "muted" if kind == "void" else "ink", x + width / 2
    return drawn + text(middle, y + 17, shown, colour, mono=True, text_anchor="middle", text_decoration=through)


def visible(token: str) -> str:
    """A token with its blanks as signs.

    Examples
    --------
    >>> visible(" a")
    '␣a'
    """
    return token.replace(" ", "␣").replace("\n", "⏎")
