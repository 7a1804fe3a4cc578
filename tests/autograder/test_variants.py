"""Which wrong answers a sample holds."""

from __future__ import annotations

from pathlib import Path

from autograder import master, variants
from autograder.run import run_in_subprocess

from .conftest import TINY, write_lab

WRONG = {f"double__by_{number}": f"def double(x):\n    return {number} * x\n" for number in (3, 4, 5)}


def test_a_sample_holds_the_blank_every_stub_and_one_answer_in_so_many(tmp_path: Path) -> None:
    lab = master.load(write_lab(tmp_path, text=TINY, wrong=WRONG))
    everything = [variant.name for variant in variants.all_variants(lab)]
    assert [variant.name for variant in variants.sample(lab, 1)] == everything
    half = [name for name in everything if name != "double__by_4"]
    assert [variant.name for variant in variants.sample(lab, 2)] == half
    assert set(run_in_subprocess(lab, one_in=2).variants) == set(half)
