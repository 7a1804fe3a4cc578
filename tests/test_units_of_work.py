"""Parallel tests share what is dear: a file goes to one worker, a file that tests every lab goes to them lab by lab."""

from __future__ import annotations

from tests.conftest import unit_of_work


def test_files_stay_together_and_labs_are_dealt_one_by_one() -> None:
    assert unit_of_work("tests/lablib/viz/test_cloud.py::test_a[x]") == "tests/lablib/viz/test_cloud.py"
    judged = "tests/labs/test_judged.py::test_before[lab07_flash_attention-attend__stub]"
    assert unit_of_work(judged) == "tests/labs/test_judged.pylab07"
    assert unit_of_work(judged) == unit_of_work("tests/labs/test_judged.py::test_all[lab07_flash_attention]")
    assert unit_of_work("lablib/viz/slo.py::lablib.viz.slo.cost_slo") == "lablib/viz/slo.py"
