"""Handwritten digits of 8 × 8 pixels: small enough to print, to put on a small FPGA, and to diffuse on a laptop.

A pixel counts the black dots in a square of 4 × 4 of a scan of 32 × 32, so that it is one of 0 to 16.

Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998,
https://doi.org/10.24432/C50P49 (the test part, written by 13 people), as scikit-learn ships it.
"""

from __future__ import annotations

from lablib.data.files import Images, Source, images

__all__ = ["LEVELS", "SOURCE", "digits"]

LEVELS = 16
"""What a pixel's value, times this, is an integer of."""

SOURCE = Source(
    "digits.npz",
    "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998; from scikit-learn 1.9.1",
    "CC-BY-4.0",
    "a0712fbfc3b6e8004f042855b57870d7007072b33190cb37b9d46d2f247ebff2",
)


def digits() -> Images:
    """1437 digits to train on and 360 held out, shape (images, 1, 8, 8).

    Examples
    --------
    >>> data = digits()
    >>> data.train_x.shape, data.test_y[:6].tolist()
    (torch.Size([1437, 1, 8, 8]), [0, 8, 8, 9, 8, 3])
    """
    return images(SOURCE, greatest=LEVELS, held_out=360)
