from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import pytest

from lablib import viz

PASSES = [(["a", "b", "c"], ["a", "d"]), (["e", " "], ["e", " ", "s"])]


def test_the_summary_counts_what_became_of_the_guesses():
    assert viz.draft_tokens("He", PASSES).summary == (
        "2 passes wrote 5 tokens, 2.50 a pass: 3 of 5 guesses accepted, 1 refused, 1 never looked at."
    )


def test_the_targets_own_token_stands_after_the_refused_one():
    first, second = viz.draft_tokens("He", PASSES).content["passes"]
    assert first == [["a", "accepted"], ["b", "refused"], ["d", "own"], ["c", "void"]]
    assert second == [["e", "accepted"], [" ", "accepted"], ["s", "own"]]


def test_the_still_picture_shows_blanks_and_strikes_out_what_was_refused():
    picture = ElementTree.fromstring(viz.draft_tokens("He", PASSES).picture)
    texts = list(picture.iter("{http://www.w3.org/2000/svg}text"))
    assert [node.text for node in texts if node.get("text-decoration") == "line-through"] == ["b"]
    assert "␣" in [node.text for node in texts]


@pytest.mark.parametrize(
    ("passes", "sentence"),
    [
        ([], r"passes is empty; each pass is a pair \(drafted, written\)"),
        ([(["a"], [])], "pass 1 drafted"),
        ([(["a"], ["b", "c"])], "expected a beginning of the draft and one token more"),
        ([(["a"], ["a", "b", "c"])], "pass 1 drafted"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(passes, sentence):
    with pytest.raises(ValueError, match=sentence):
        viz.draft_tokens("", passes)


@pytest.mark.browser
def test_the_text_grows_pass_by_pass(show: Callable[[Any], Any]):
    page = show(viz.draft_tokens("He", PASSES))
    assert page.inner_text(".text") == "Head"
    assert [chip.inner_text() for chip in page.locator(".line .chip").all()] == ["a", "b", "d", "c"]
    assert (
        page.inner_text(".status") == "3 drafted, 1 accepted; the target itself draws “d” from the residual: 2 written."
    )
    page.get_by_label("One pass on").click()
    assert page.inner_text(".text") == "Heade s"
    assert page.inner_text(".status").endswith("“s” as a bonus: 3 written.")
    page.get_by_label("One pass back").click()
    page.get_by_label("One pass back").click()
    assert page.inner_text(".text") == "He" and page.inner_text(".status") == "Before the first pass."
