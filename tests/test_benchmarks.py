"""Benchmarks measure what they say, and measured figures that a lab shows are those that a benchmark wrote."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from autograder import master
from benchmarks import grading, lab07, lab18, machine, parallel, result_files
from benchmarks.grading_class import MIX, BenchmarkError, HandIn, hand_ins, require_points
from benchmarks.grading_outcome import differences
from benchmarks.grading_speed import Readings, Setting, grading_speed
from benchmarks.grading_stock import stock_speed
from benchmarks.grading_timed_judge import Note, all_warm
from tests.autograder.conftest import write_lab


def test_lab06_shows_the_newest_measurement(repository: Path) -> None:
    newest = result_files.newest("lab06")
    shown = repository / "solutions/lab06_triton_kernels/assets/h200.json"
    assert shown.read_bytes() == newest.read_bytes(), f"copy {newest.name} to {shown.relative_to(repository)}"


def test_lab04_shows_the_newest_measurement(repository: Path) -> None:
    newest = result_files.newest("diffusion-steps")
    shown = repository / "solutions/lab04_generative_models/assets/steps.json"
    assert shown.read_bytes() == newest.read_bytes(), f"copy {newest.name} to {shown.relative_to(repository)}"


def test_every_brief_of_lab18_was_met_by_its_solution(repository: Path) -> None:
    measured = json.loads(result_files.newest("lab18").read_text())
    assert measured["language"]["worst"] < 0.9 and measured["language"]["worst elsewhere, at most 1.4"] < 1.3
    assert all(row["control: to nearest, over allowed"] > 1.5 for row in measured["language"]["rows"])
    assert measured["serving"]["solution"]["meets both"] == measured["serving"]["briefs"]
    assert measured["search"]["worst"] < 0.02 and measured["compile"]["worst at 5 to 7 bits, at most 0.015"] < 0.013
    assert all(row["cycles"] < row["most cycles"] for row in measured["engine"])
    assets = json.loads((repository / "solutions/lab18_capstone/assets/best.json").read_text())
    assert assets["accuracy"] == lab18.best_at_each_price()


def test_lab10_asks_less_than_its_solution_was_measured_to_reach() -> None:
    measured = json.loads(result_files.newest("lab10").read_text())
    for inputs, most in (("vision", 0.6), ("language", 0.95)):
        gates = measured[f"exits, {inputs}"]
        assert gates["flops"]["most"] < most and gates["points lost"]["most"] < 1, "of 100 halves none fails the check"
        assert min(gates[f"points above {control}"]["least"] for control in ("static", "random")) > 0
    merged = {tuple(row["merged after blocks 1, 2, 3"]): row for row in measured["merging"]}
    assert [round(100 * merged[counts]["merged at random"]) for counts in ((16, 12, 8), (24, 12, 4))] == [86, 75]


def test_lab16_agrees_with_opacus_and_a_twentieth_of_the_bytes_costs_less_than_a_point() -> None:
    measured = json.loads(result_files.newest("lab16").read_text())
    assert len(measured["accountant"]) == 6
    for row in measured["accountant"]:
        assert math.isclose(row["lab"], row["opacus"], rel_tol=1e-9), row
    compression = measured["compression"]
    assert 0.045 < compression["share of the uplink"] <= 0.05
    assert compression["points lost with feedback"]["most"] < 1
    assert compression["points lost with feedback"]["mean"] < compression["points lost without"]["least"]


def test_lab07_quotes_the_newest_measurement(repository: Path) -> None:
    kernels, measured = (json.loads(result_files.newest(what).read_text()) for what in ("kernels", "lab07"))
    want = lab07.quoted(kernels, measured)
    assert json.loads(lab07.QUOTED.read_text()) == want, "run `python -m benchmarks.lab07 quote`"


def test_lab12_shows_the_newest_measurement_of_a_gpu(repository: Path) -> None:
    measured = max(result_files.RESULTS.glob("*-h200-digits-network.json"))
    shown = repository / "solutions/lab12_fpga_hls/assets/gpu.json"
    assert shown.read_bytes() == measured.read_bytes(), "run `python -m benchmarks.lab12 asset`"


def test_parallel_measures_over_gloo_what_it_measures_over_nccl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(parallel.SIZES, "gloo", (4096, 8192))
    result = parallel.measure("gloo", 2)
    rings = [row for row in result["collectives"] if "ring" in row["collective"]]
    assert {row["collective"] for row in rings} == {"lab15's ring", "ring in place"}
    assert all(row["bus_bytes_per_s"] > 0 for row in result["collectives"])
    alone, *together = result["steps"]["rows"]
    assert [row["way"] for row in (alone, *together)] == list(parallel.WAYS)
    # The same weights and batches: whoever trains them, by lab15's functions or by torch's, reaches the same loss.
    losses = [row["loss"] for row in together]
    assert max(losses) - min(losses) < 0.002 * alone["loss"], losses
    assert all(0 < row["weak scaling by the cost model"] <= 1 for row in together)
    assert all(row["apart"] < 1e-5 for row in (*result["layers"]["rows"], result["pipeline"]))
    assert result["pipeline"]["bubble"] == pytest.approx(1 / 9)


def test_parallel_wants_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parallel.torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(sys, "argv", ["parallel"])
    with pytest.raises(SystemExit, match="this machine has 1 GPU: two are needed"):
        parallel.main()


def test_lab13_searches_hold_what_the_lab_says_of_them() -> None:
    measured = json.loads(result_files.newest("lab13").read_text())
    rows = measured["searches at 150 queries"]
    chances = {
        name: row["p that it is no better than chance"] for name, row in rows.items() if name.startswith(("e", "c"))
    }
    assert max(chances["evolution"], chances["controller"]) < 0.01
    assert chances["control: controller, the sign wrong"] > 0.99
    darts, supernet, fronts = measured["DARTS"], measured["supernet"], measured["fronts"]
    assert darts["better than it"] >= 8 and darts["control better than it"] == 0
    band, everywhere = supernet["band"], supernet["all sizes"]
    least = max(0.75 * band["between seeds"], band["FLOPs"])
    assert len(band["supernet"]) == len(everywhere["supernet"]) == 10
    assert min(band["supernet"]) > least > max(measured["control: supernet of one path"]["a cell of the band"])
    assert sum(found > everywhere["FLOPs"] for found in everywhere["by accuracy"]) == 9
    others = ("front search without same", "random", "Optuna's NSGA-II")
    assert fronts["front search"]["mean"] > max(fronts[name]["mean"] for name in others)
    again = measured["retrained"]
    assert again["root mean square difference"] < 2 * again["root mean square deviation between the table's seeds"]


def test_lab17_survives_what_the_lab_says_and_its_bounds_have_room() -> None:
    measured = json.loads(result_files.newest("lab17").read_text())
    for how in ("kills at random bytes", "kills at random moments"):
        assert measured[how]["kills"] >= 200 and measured[how]["wrong"] == 0
    assert sum(measured["simulated crashes"].values()) == 2000 and measured["simulated crashes"]["wrong"] == 0
    assert [row["C/M"] for row in measured["intervals"]] == [0.005, 0.05, 0.2]
    for row in measured["intervals"]:  # five standard deviations: chance rejects one right answer in a million
        off = row["solution"]
        assert abs(off["mean"]) + 5 * off["standard_deviation"] < 0.05, row["C/M"]
    assert round(100 * measured["intervals"][1]["Young"]["mean"]) == 11
    assert measured["continuous over static"]["least"] > 2


def test_lab07_times_nothing_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lab07.device, "INTERPRETED", True)
    with pytest.raises(SystemExit, match="needs a GPU"):
        lab07.main()


def test_the_page_on_hardware_shows_the_newest_measurement(repository: Path) -> None:
    newest = result_files.newest("hls")
    result, page = json.loads(newest.read_text()), (repository / "docs/fpga.md").read_text()
    assert newest.name in page and result["machine"] in page and f"{result['load_before']:.1f}" in page
    for name, found in result["seconds"].items():
        figures = [found[when][what] for when in ("cold", "warm") for what in ("wall", "cpu")]
        assert f"| {name} | {' | '.join(f'{figure:.2f}' for figure in figures)} |" in page
    for name, found in result["cycles_a_second"].items():
        assert f"| {name} | {found['cycles']:,} | {found['a_second']:,.0f} | {found['a_cpu_second']:,.0f} |" in page


def test_a_result_names_its_machine_and_versions(repository: Path) -> None:
    for path in (repository / "benchmarks/results").glob("*.json"):
        result = json.loads(path.read_text())
        assert result["machine"] and result["versions"]["torch"] and result["versions"]["triton"]


def test_a_lab_was_measured_where_its_tests_passed(repository: Path) -> None:
    for path in (repository / "benchmarks/results").glob("*-lab[0-9][0-9].json"):
        assert set(json.loads(path.read_text())["tests"].values()) == {"passed"}


def test_a_class_was_killed_a_hundred_times_and_came_to_no_harm(repository: Path) -> None:
    for path in (repository / "benchmarks/results").glob("*-grading.json"):
        kills = json.loads(path.read_text())["kills"]
        assert (sum(kills["kills"].values()), kills["faults"]) == (100, [])


def test_a_mixed_class_has_every_kind_and_no_answer_twice(repository: Path) -> None:
    lab = master.find(repository, "lab00")
    made = hand_ins(lab, 20, MIX)
    assert Counter(one.kind for one in made) == {"solution": 12, "wrong": 6, "blank": 2}
    sources = [
        cell["source"]
        for one in made
        for cell in json.loads(one.notebook)["cells"]
        if cell["id"] == lab.solution_cells[0].id
    ]
    assert len(set(map(str, sources))) == 20
    assert hand_ins(lab, 20, MIX) == made


@pytest.mark.parametrize(("kind", "least", "most", "points"), [
    ("solution", 8.0, 8.0, 6.0), ("wrong", 0.0, 6.0, 8.0), ("blank", 0.0, 0.0, None),
])  # fmt: skip
def test_wrong_points_spoil_a_measurement(kind: str, least: float, most: float, points: float | None) -> None:
    one = HandIn("ann", kind, "", least, most)
    require_points("a run", [one], {"ann": most})
    with pytest.raises(BenchmarkError, match=rf"a run: ann \({kind}\): expected .* test points, got {points}"):
        require_points("a run", [one], {} if points is None else {"ann": points})


def test_what_is_lost_added_or_changed_is_named() -> None:
    expected = {"a.csv": b"1", "gradebook, ann": 3.0, "score log": [1]}
    assert differences(expected, dict(expected)) == []
    found = {"gradebook, ann": 2.0, "score log": [1], "b.csv": b""}
    assert differences(expected, found) == ["a.csv is lost", "b.csv should not be there", "gradebook, ann differs"]


def test_a_hand_in_costs_what_it_does_once_all_workers_are_warm() -> None:
    notes = [Note(1, done=10.0, seconds=1.0), Note(1, done=11.0, seconds=1.0), Note(2, done=12.0, seconds=5.0)]
    assert all_warm(notes) == 12.0
    readings = Readings(taken=[{"wall": wall} for wall in (10.5, 11.5, 12.5, 13.0, 13.5)])
    assert readings.per_hand_in(all_warm(notes)) == {"wall": 0.5}
    assert readings.per_hand_in(since=13.5) == {"wall": 0.75}  # one reading is no rate


def test_ratios_are_those_of_seconds_a_hand_in() -> None:
    def run(seconds: float, each: float) -> dict:
        return {"hand_ins": 6, "seconds": seconds, "a_hand_in": {"seconds": each}}

    ratios = grading.compared(run(60.0, 9.0), run(20.0, 1.8), run(12.0, 1.0), run(12.0, 1.2))
    assert ratios == {
        "times_stock": 9.0,
        "times_stock_with_start_and_end": 5.0,
        "efficiency_of_2_workers": 0.9,
        "efficiency_of_2_dask_workers": 0.75,
    }


def test_a_part_is_kept_beside_one_of_the_same_machine_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path, here = tmp_path / "result.json", machine.describe()
    monkeypatch.setattr(grading, "measure", lambda size, parts, folder: here | {part: {"new": 2} for part in parts})
    monkeypatch.setattr("benchmarks.grading_tables.print_result", lambda result: None)
    monkeypatch.setenv("PYTHONWARNINGS", "")  # main sets it, and this test must not
    path.write_text(json.dumps(here | {"speed": {"old": 1}, "kills": {"old": 2}}))
    assert grading.main([str(path), "--quick", "--only", "kills"]) == 0
    found = json.loads(path.read_text())
    assert found == here | {"speed": {"old": 1}, "kills": {"new": 2}}
    path.write_text(before := json.dumps(found | {"machine": "another"}))
    assert grading.main([str(path), "--quick", "--only", "speed"]) == 2
    assert "has kills of other machine than here: name another FILE" in capsys.readouterr().err
    assert path.read_text() == before


@pytest.mark.slow
def test_a_class_that_was_killed_comes_to_no_harm(repository: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.grading", str(tmp_path / "result.json"), "--quick", "--only", "kills"]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kills = json.loads((tmp_path / "result.json").read_text())["kills"]
    assert kills["kills"] == {"worker": 1, "parent": 1, "writer": 1}
    assert "faults 0" in done.stdout


@pytest.mark.slow
def test_the_same_hand_ins_are_measured_with_stock_nbgrader_and_dask(tmp_path: Path) -> None:
    write_lab(tmp_path)
    lab = master.find(tmp_path, "lab90")
    handed_in = hand_ins(lab, 2)
    stock = stock_speed(lab, tmp_path / "stock", handed_in)
    ours = grading_speed(lab, tmp_path / "ours", handed_in, Setting("Dask", 2, dask=True))
    assert stock["hand_ins"] == ours["hand_ins"] == 2
    each = ours["a_hand_in"]
    assert stock["a_hand_in"]["seconds"] > 0
    parts = ("cpu_judging", "cpu_gradebook_and_notebook", "cpu_feedback", "cpu_other")
    assert each["cpu"] == pytest.approx(sum(each[part] for part in parts))
