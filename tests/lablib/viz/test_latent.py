from __future__ import annotations

import base64
from xml.etree import ElementTree

import numpy as np
import pytest

from lablib import viz


def plane():
    """Nine images of one pixel, lighter to darker along a row, and three codes, one of them outside."""
    images = np.arange(9).reshape(3, 3, 1, 1) / 8
    return viz.code_plane(images, [[0.0, 1.0], [-2.5, 2.0], [4.0, 0.0]], [3, 8, 3])


def test_the_summary_counts_points_and_those_outside():
    assert repr(plane()) == (
        "A plane of codes from -3 to 3, decoded at 3 x 3 points; 3 encoded images of 2 classes, 1 outside the plane."
    )


def test_levels_are_bytes_row_by_row_and_points_inside_are_kept():
    content = plane().content
    assert list(base64.b64decode(content["levels"])) == [0, 32, 64, 96, 128, 159, 191, 223, 255]
    assert content["points"] == [[0.0, 1.0, 3], [-2.5, 2.0, 8]]


def test_the_still_picture_leaves_white_pixels_out():
    picture = ElementTree.fromstring(plane().picture)
    drawn = [node for node in picture.iter("{http://www.w3.org/2000/svg}rect") if "fill-opacity" in node.attrib]
    assert len(drawn) == 8


def test_bad_input_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match=r"side 2 or more; got \(3, 2, 8, 8\)"):
        viz.code_plane(np.zeros((3, 2, 8, 8)), np.zeros((1, 2)), [1])
    with pytest.raises(ValueError, match=r"codes must have the shape \(2, 2\), one a label; got \(1, 2\)"):
        viz.code_plane(np.zeros((3, 3, 8, 8)), np.zeros((1, 2)), [1, 2])
