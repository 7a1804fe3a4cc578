"""Two novels by Jane Austen, a character at a time: *Pride and Prejudice* (1813), *Sense and Sensibility* (1811).

A line is a paragraph; headings are left out. The last 100 000 characters, the end of the second novel, are held out.

Source: Project Gutenberg's texts 1342 and 161 as R's package janeaustenr 1.0.0 (Julia Silge, MIT) has them, from
Debian's r-cran-janeaustenr. The novels are in the public domain: their author died in 1817.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from lablib.data.files import Source

__all__ = ["HELD_OUT", "SOURCE", "VOCABULARY", "Text", "austen", "decode", "encode"]

HELD_OUT = 100_000
VOCABULARY = "\n !\"&'(),-.0125678:;?ABCDEFGHIJKLMNOPQRSTUVWYZabcdefghijklmnopqrstuvwxyz"
"""Every character of the text; a token is a place in this string."""

SOURCE = Source(
    "austen.txt",
    "J. Austen, Pride and Prejudice, Sense and Sensibility; Project Gutenberg, through janeaustenr 1.0.0 (J. Silge)",
    "public domain",
    "0010344785a19497227de920ddcb7751f857b40702b9a86c86f97323af69489e",
)


class Text(NamedTuple):
    """A text as tokens, int64, shape (characters,): the part to train on and the end, which is held out."""

    train: torch.Tensor
    test: torch.Tensor


def austen() -> Text:
    """1.25 million characters to train on and 100 000 held out.

    Examples
    --------
    >>> decode(austen().train[:43])
    'It is a truth universally acknowledged, tha'
    """
    tokens = encode(SOURCE.read().decode("ascii"))
    return Text(tokens[:-HELD_OUT], tokens[-HELD_OUT:])


def encode(text: str) -> torch.Tensor:
    """Tokens of a text, int64, shape (characters,).

    Raises
    ------
    ValueError
        If a character is not in the vocabulary.

    Examples
    --------
    >>> encode("a b").tolist()
    [46, 1, 47]
    """
    unknown = sorted(set(text) - set(VOCABULARY))
    if unknown:
        raise ValueError(f"The novels have no {', '.join(map(repr, unknown))}; they are written with {VOCABULARY!r}.")
    place = {character: token for token, character in enumerate(VOCABULARY)}
    return torch.tensor([place[character] for character in text], dtype=torch.int64)


def decode(tokens: torch.Tensor) -> str:
    """The text of tokens, shape (characters,)."""
    return "".join(VOCABULARY[token] for token in tokens.tolist())
