from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autograder.reports.text import inert, one_line, visible

FORMULA = tuple("=+-@＝＋－＠")  # noqa: RUF001


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://example.org\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1bcb", "ab"),
        ("ends in\x1b", "ends in"),
        ("bell\x07 and nul\0", "bell� and nul�"),
        ("back\x08wards \x9b31m", "back�wards �31m"),
        ("gnp\u202egpj.exe", "gnp�gpj.exe"),
        ("half \ud83d", "half �"),
        ("two\u2028lines", "two�lines"),
        ("two\r\nlines\there", "two\nlines\there"),
        ("\u0645\u06cc\u200c\u062e", "\u0645\u06cc\u200c\u062e"),
    ],
)
def test_hidden_characters_are_shown_and_terminal_sequences_dropped(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_visible_text_can_be_encoded_and_holds_no_escape(text: str) -> None:
    assert "\x1b" not in visible(text).encode().decode()


def test_a_cut_says_how_much_is_missing() -> None:
    assert visible("x" * 100, most=10) == "xxxxxxxxxx … (90 more characters)"


def test_one_line_is_one_line() -> None:
    assert one_line("a\n  b\t\tc\r\nd") == "a b c d"


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        '"=1',
        "＝1",  # noqa: RUF001
        'a;=cmd|"/C calc"!A1',
        "a,-b",
        "a|=1",
    ],
)
def test_a_formula_gets_an_apostrophe(text: str) -> None:
    assert "'" in inert(text)


@given(st.text(alphabet="=+-@＝a1 ,;|\t\n\r\"'\x1b\0"))  # noqa: RUF001
def test_no_field_begins_a_formula_whatever_the_separator(text: str) -> None:
    for separator in ",;|\t\n":
        fields = [field.strip(' "') for field in re.split(re.escape(separator), inert(text))]
        assert not any(field.startswith(FORMULA) for field in fields)


@pytest.mark.parametrize(
    "text", ["", "Ada Lovelace", "Anne-Marie O'Neil", "ada@example.org", "1.5", "test cell deleted: a, b"]
)
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text
