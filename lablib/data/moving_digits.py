"""Clips of a digit that moves to the left or to the right: what it shows is in the order of frames alone.

Every clip is there twice, forwards under one label and backwards under the other. Whoever averages the frames sees the
same picture under both labels and is right half the time, whatever the network; whoever takes them in an order of their
own learns nothing that lasts.

Made here by a rule, from the digits of 8 × 8; no file of its own.
"""

from __future__ import annotations

import torch

from lablib.data.digits import digits
from lablib.data.files import Images

__all__ = ["LEFT", "RIGHT", "SIZE", "moving_digits"]

LEFT, RIGHT = 0, 1
SIZE = 16
"""Pixels along each side of a frame."""


def moving_digits(train: int = 1024, test: int = 512, frames: int = 6, seed: int = 0) -> Images:
    """Clips of shape (clips, 1, frames, 16, 16), and whether their digit moves to the left (0) or right (1).

    A digit takes ``frames`` of the 9 places in a row, in order; its height, the digit and the places are drawn at
    random. Clips to train on show digits of the training part, the others show digits that were held out.

    Parameters
    ----------
    train, test
        Clips of each part; even, since each comes with its reversal.
    frames
        Frames of a clip, 2 to 9.
    seed
        Two calls with the same seed give the same clips.

    Raises
    ------
    ValueError
        If ``frames`` is outside 2 to 9, or a part is odd.

    Examples
    --------
    >>> clips = moving_digits(train=64, test=32)
    >>> clips.train_x.shape, clips.test_y.float().mean().item()
    (torch.Size([64, 1, 6, 16, 16]), 0.5)
    """
    if not 2 <= frames <= 9 or train % 2 or test % 2:
        raise ValueError(
            f"moving_digits needs 2 to 9 frames and parts of an even size, for each clip comes with its reversal; "
            f"got frames={frames}, train={train}, test={test}."
        )
    data = digits()
    generator = torch.Generator().manual_seed(seed)
    train_x, train_y = _clips(data.train_x, train // 2, frames, generator)
    test_x, test_y = _clips(data.test_x, test // 2, frames, generator)
    return Images(train_x, train_y, test_x, test_y)


def _clips(
    pictures: torch.Tensor, pairs: int, frames: int, generator: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """``pairs`` clips to the right and their reversals, shuffled."""
    room = SIZE - pictures.shape[-1] + 1
    right = torch.zeros(pairs, 1, frames, SIZE, SIZE)
    for clip in right:
        picture = pictures[int(torch.randint(len(pictures), (), generator=generator)), 0]
        top = int(torch.randint(room, (), generator=generator))
        places = torch.randperm(room, generator=generator)[:frames].sort().values.tolist()
        for frame, left in zip(clip[0], places, strict=True):
            frame[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    x = torch.cat([right, right.flip(2)])
    y = torch.tensor([RIGHT, LEFT]).repeat_interleave(pairs)
    order = torch.randperm(len(y), generator=generator)
    return x[order], y[order]
