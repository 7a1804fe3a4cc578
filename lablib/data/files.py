"""Files of this package: where they come from, under which licence, and whether they are whole."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

__all__ = ["FOLDER", "Images", "Source", "images"]

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Source:
    """A file of this folder, with what whoever passes it on must know.

    Attributes
    ----------
    file
        Name of the file.
    origin
        Who made the data, and through which package they came here.
    licence
        SPDX identifier, or ``"public domain"``.
    sha256
        Checksum of the file in hexadecimal.
    """

    file: str
    origin: str
    licence: str
    sha256: str

    def read(self) -> bytes:
        """The file's bytes.

        Raises
        ------
        OSError
            If the file is missing, or is not the one that the checksum was taken of.
        """
        path = FOLDER / self.file
        if not path.exists():
            raise OSError(f"lablib/data/{self.file} is missing: install lablib again, or run `git restore` on it.")
        content = path.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise OSError(
                f"lablib/data/{self.file} was changed: expected SHA-256 {self.sha256[:12]}…, found {found[:12]}…. "
                "Install lablib again, or run `git restore` on it."
            )
        return content


class Images(NamedTuple):
    """Images and labels, cut into a part to train on and one that is held out.

    Attributes
    ----------
    train_x, test_x
        float32 in [0, 1], shape (images, 1, height, width).
    train_y, test_y
        Classes, int64, shape (images,).
    """

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor


def images(source: Source, greatest: int, held_out: int) -> Images:
    """Read an archive with ``images`` (uint8, 0 to ``greatest``) and ``labels``; its last ``held_out`` are the test."""
    with np.load(io.BytesIO(source.read())) as archive:
        x = torch.from_numpy(archive["images"]).float()[:, None] / greatest
        y = torch.from_numpy(archive["labels"]).long()
    return Images(x[:-held_out], y[:-held_out], x[-held_out:], y[-held_out:])
