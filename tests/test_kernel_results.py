"""What the kernels' docstrings say of their peers is what the newest measurement found."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from benchmarks import result_files
from benchmarks.kernel_page import faster

ROWS: list[dict[str, Any]] = [
    row for row in json.loads(result_files.newest("kernels").read_text())["rows"] if "ms" in row
]

# Where the benchmark's kernel is not a module's name.
MODULES = {
    "conv2d backward": "conv_gradients",
    "conv3d backward": "conv_gradients",
    "flash attention": "flash_attention_hopper",
    "flash attention, both": "flash_attention_backward",
    "flash attention, packed": "flash_attention_varlen",
}


def module_of(row: dict[str, Any]) -> str:
    """The module of lablib.kernels that computed a row."""
    if row["kernel"] == "conv2d" and "stride 2" in row["case"]:
        return "conv_gather"
    if row["kernel"] == "flash attention" and "× 64 " in row["case"]:
        return "flash_attention_forward"
    return MODULES.get(row["kernel"], row["kernel"].replace(" ", "_"))


def measured_text(repository: Path, module: str) -> str:
    """What a module's docstring says from "Measured on" to "Source", on one line."""
    source = (repository / "lablib" / "kernels" / f"{module}.py").read_text()
    _, _, text = (ast.get_docstring(ast.parse(source)) or "").partition("Measured on")
    return " ".join(text.partition("\nSource")[0].split())


def unnamed(row: dict[str, Any], text: str) -> list[str]:
    """Peers of a row that are much faster than ours and that the text does not name."""
    return [name for name in faster(row) if not re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text)]


LOST = [row for row in ROWS if faster(row)]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['kernel']}, {row['case']}")
def test_a_docstring_says_what_was_measured_and_names_a_peer_that_is_faster(
    repository: Path, row: dict[str, Any]
) -> None:
    module = module_of(row)
    text = measured_text(repository, module)
    assert text, f"lablib/kernels/{module}.py has no paragraph 'Measured on ...' before its source"
    assert not unnamed(row, text), f"lablib/kernels/{module}.py: 'Measured on ...' does not name {unnamed(row, text)}"


@pytest.mark.parametrize("row", LOST, ids=lambda row: f"{row['kernel']}, {row['case']}")
def test_a_peer_that_is_left_out_is_found(repository: Path, row: dict[str, Any]) -> None:
    text = measured_text(repository, module_of(row)).replace(row["best_peer"], "")
    assert row["best_peer"] in unnamed(row, text)


def test_a_longer_word_is_not_a_name() -> None:
    row = {"ms": 2.0, "peers_ms": {"dense": 1.0, "SDPA": 1.99}}
    assert unnamed(row, "over condensed weights") == ["dense"]
    assert unnamed(row, "the dense product") == []
