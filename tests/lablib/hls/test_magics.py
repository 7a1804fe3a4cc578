"""Cells of C++ and DSLX keep their source and show their errors at the lines."""

from __future__ import annotations

import re
from html import unescape

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from lablib.hls import cpp_source, xls_step
from lablib.hls.csim import csim
from lablib.hls.dslx_source import check_dslx
from lablib.hls.engines import Package
from lablib.hls.errors import EngineMissing, HardwareError
from lablib.hls.magics import dslx, hls_cpp
from lablib.hls.source_errors import SourceError, SourceRefused, listing
from lablib.hls.source_listing import SourceListing

TWICE = '#include "ap_int.h"\n\nap_int<9> twice(ap_int<8> x) {\n  return x + x;  // a < b\n}\n'
BROKEN_DSLX = "fn f(x: s8) -> s16 {\n  let y = x;\n  y\n}\n"


@pytest.fixture
def shell():
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "lablib.hls.magics")
    yield shell
    InteractiveShell.clear_instance()


def test_a_cell_keeps_its_source_in_the_notebook(shell) -> None:
    with capture_output() as shown:
        done = shell.run_cell(f"%%hls_cpp twice_cpp\n{TWICE}")
    assert done.success and isinstance(done.result, SourceListing) and not done.result.errors
    assert "twice_cpp: C++, no errors." in shown.stdout
    assert shell.user_ns["twice_cpp"] == f"\n{TWICE}", "the magic's own line counts, as in the editor"
    assert csim(shell.user_ns["twice_cpp"], "twice")(-128) == -256


def test_errors_stand_under_their_lines(shell) -> None:
    with capture_output():
        done = shell.run_cell(f"%%dslx broken\n{BROKEN_DSLX}")
    (error,) = done.result.errors
    assert error.line == 4 and "s8 vs. s16" in error.message
    text = str(done.result).splitlines()
    assert text[0] == "broken: DSLX, 1 error." and text[1].strip().startswith("2  fn f(")
    assert text[3].strip() == "4    y" and text[4].strip().startswith(">>  line 4: size mismatch")


def shown(html: str) -> str:
    """What a page shows of a listing, with a bar for each end of a line."""
    return unescape(re.sub(r"<[^>]*>", "", re.sub(r"<style>.*</style>", "", html, flags=re.DOTALL).replace("\n", "|")))


def test_html_holds_every_line_once_and_escapes_it() -> None:
    html = hls_cpp("broken", TWICE.replace("x + x", "x + <y>"), {})._repr_html_()
    assert shown(html).startswith(
        '✗broken C++ 1 error.1#include "ap_int.h"|2|3ap_int<9> twice(ap_int<8> x) {|4  return'
    )
    assert "// a < b|⚠ line 4: expected expression|5}" in shown(html)
    assert "<y>" not in html


def test_the_line_and_the_word_of_an_error_are_marked() -> None:
    html = hls_cpp("broken", TWICE.replace("x + x", "x + y"), {})._repr_html_()
    (row,) = re.findall(r'<div class="bad">(.*?)</div>', html, re.DOTALL)
    assert row.startswith("<u>4</u>")
    assert re.findall(r"<mark>(.*?)</mark>", html) == ["y"]
    assert "✓" in hls_cpp("fine", TWICE, {})._repr_html_()


def test_words_of_hardware_are_highlighted_too() -> None:
    html = dslx("f", "fn f(x: u9) -> u9 { x }", {})._repr_html_()
    assert html.count('<span class="type">u9</span>') == 2 and '<span class="keyword">fn</span>' in html
    assert '<span class="type">ap_int</span>' in hls_cpp("twice", TWICE, {})._repr_html_()


def test_an_error_of_no_line_comes_first() -> None:
    kept = SourceListing("k", "C++", "int x;", (SourceError(0, "no <memory>"),))
    assert str(kept).splitlines()[1] == "no <memory>"
    assert "⚠ no &lt;memory&gt;" in kept._repr_html_()
    assert listing("int x;", kept.errors) == "no <memory>"


@pytest.mark.parametrize("name", ["", "two words", "class", "3d"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(HardwareError, match="%%hls_cpp takes the name of a variable for the source"):
        hls_cpp(name, TWICE, {})


@pytest.mark.parametrize(
    ("source", "line", "words"),
    [
        ("fn f(x: s8) -> s8 {\n  z\n}", 2, 'Cannot find a definition for name: "z"'),
        ("fn f(x: s8 -> s8 { x }", 1, "Expected"),
    ],
)
def test_dslx_that_is_wrong_says_where(source: str, line: int, words: str) -> None:
    with pytest.raises(SourceRefused, match="The DSLX source does not compile: 1 error") as caught:
        check_dslx(source)
    assert caught.value.errors[0].line == line and words in caught.value.errors[0].message


def test_without_its_engine_a_source_is_kept_unchecked(monkeypatch) -> None:
    monkeypatch.setattr(xls_step, "XLS", Package("no_xls", "xls-python", "read DSLX"))
    monkeypatch.setattr(cpp_source, "CLANG", Package("no_clang", "libclang", "read HLS C++"))
    with pytest.raises(EngineMissing, match="pip install xls-python"):
        check_dslx("")
    kept: dict[str, str] = {}
    assert "not checked. xls-python is not installed" in str(dslx("a", BROKEN_DSLX, kept))
    assert "not checked. libclang is not installed" in hls_cpp("b", TWICE, kept)._repr_html_()
    assert kept == {"a": BROKEN_DSLX, "b": TWICE}


def test_many_errors_are_cut_short() -> None:
    errors = [SourceError(line, f"error {line}") for line in range(1, 9)]
    assert listing("x\n" * 8, errors).endswith("line 5: error 5\n    x\n... and 3 more.")
