"""docs/kernels.md and its pictures show the newest measurement of the kernels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import kernel_page, kernel_pictures, result_files

NEWEST = result_files.newest("kernels")
RESULT: dict[str, Any] = json.loads(NEWEST.read_text())
AGAIN = "run `python -m benchmarks.kernel_page`"


def row(**changes: Any) -> dict[str, Any]:
    """A row that met its targets, with changes."""
    usual = {
        "kernel": "softmax", "case": "bf16", "ms": 1.0, "peers_ms": {"eager": 1.5, "Liger": 1.2}, "best_peer": "Liger",
        "best_peer_ms": 1.2, "ratio": 1.2, "roof_fraction": 0.9, "met": True, "missed": [],
        "target": {"best_peer": 1.0, "peers": {}, "roof": None},
    }  # fmt: skip
    return usual | changes


def shown(rows: list[dict[str, Any]]) -> list[str]:
    return kernel_page.page({**RESULT, "rows": rows}, "x.json").splitlines()


def texts(path: Path) -> set[str]:
    """Every line of text in an SVG, without spaces."""
    return {
        "".join("".join(one.itertext()).split()) for one in ElementTree.parse(path).iter() if one.tag[-4:] == "text"
    }


def require_drawn(folder: Path) -> None:
    for name, picture in kernel_pictures.pictures(RESULT).items():
        written = texts(folder / name)
        for note in picture.figure.layout.annotations:
            plain = "".join(note.text.replace("<b>", "").replace("</b>", "").split())
            assert plain in written, f"{name} does not show {note.text!r}: {AGAIN}"


def test_the_page_is_that_of_the_newest_result() -> None:
    assert kernel_page.PAGE.read_text() == kernel_page.page(RESULT, NEWEST.name), AGAIN


def test_the_pictures_are_those_of_the_newest_result() -> None:
    require_drawn(kernel_page.IMAGES)
    assert set(kernel_page.ALT) == set(kernel_pictures.pictures(RESULT))


def test_each_kernel_has_one_table() -> None:
    heads = [line for line in shown(RESULT["rows"]) if line.startswith("## ")]
    assert len(heads) == len(set(heads))


def test_a_page_without_losses_names_none() -> None:
    assert not [line for line in shown([row()]) if line.startswith("## Where")]


def test_a_peer_that_is_faster_is_listed_with_how_much() -> None:
    lines = shown([row(peers_ms={"eager": 0.4, "Liger": 0.8, "Triton": 0.99})])
    assert "- **softmax, bf16**: eager is 2.5 times as fast; Liger is 25% faster" in lines


def test_rows_with_one_cause_share_it_and_say_what_they_reached() -> None:
    missed = {"met": False, "cause": "latency", "target": {"best_peer": 1.3, "peers": {"eager": 1.4}, "roof": 0.95}}
    lines = shown([row(**missed), row(**missed, case="fp16", ms=1.1)])
    at = lines.index("**softmax.** Latency.")
    assert lines[at + 2] == "- bf16: 1.200 of Liger, not 1.30; 0.900 of the roof, not 0.95"
    assert lines[at + 3] == "- fp16: 1.364 of eager, not 1.40; 1.091 of Liger, not 1.30; 0.900 of the roof, not 0.95"
    assert (
        "| bf16 | 1.000 | Liger | 1.200 | 1.20 | 0.90 | ≥ 1.40 × eager, ≥ 1.30 × best peer, ≥ 0.95 × roof: **missed** |"
        in lines
    )


def test_a_wrong_kernel_is_not_hidden() -> None:
    lines = shown([{"kernel": "softmax", "case": "bf16", "wrong": "relative error 0.1", "met": False}])
    assert "| bf16 | | | | | | **wrong**: relative error 0.1 |" in lines
    assert "- bf16: not timed" in lines


@pytest.mark.slow
def test_chromium_draws_the_pictures(tmp_path: Path) -> None:
    kernel_pictures.write(RESULT, tmp_path)
    require_drawn(tmp_path)
