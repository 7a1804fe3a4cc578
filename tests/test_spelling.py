"""Prose is spelt the British way, with a short list of the field's own terms."""

from __future__ import annotations

from pathlib import Path

from tests.spelling import prose, unknown, words


def test_every_word_is_in_the_dictionary_or_a_term() -> None:
    places: dict[str, str] = {}
    for place, text in prose():
        places |= dict.fromkeys(words(text) - places.keys(), place)
    found = {word: places[word] for word in sorted(unknown(set(places)))}
    assert found == {}, "mend these, or add a term of the field to tests/words.txt"


def test_american_and_wrong_spellings_are_found(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("softmax\n", encoding="utf-8")
    text = "The kernel's color behaves: a `colr` of teh softmax.\n>>> quantzation"
    assert unknown(words(text), tmp_path / "words.txt") == {"color", "teh", "quantzation"}
