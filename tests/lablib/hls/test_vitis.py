"""AMD's reports are read, and its tools are run, on files of our own in their formats and with stand-ins for them.

The tools themselves are not here: what only they can show is not tested.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from lablib.hls.errors import EngineMissing, HardwareError, ToolFailed, ToolTimeout
from lablib.hls.report import Resources
from lablib.hls.source_errors import SourceRefused
from lablib.hls.vitis import vitis
from lablib.hls.vitis_reports import cosim_report, csynth_report, vivado_report

FILES = Path(__file__).with_name("vitis")
SOURCE = "void dense(int x[16], int y[8]) {\n  y[0] = x[0];\n}\n"


def test_an_estimate_is_read() -> None:
    report = csynth_report(FILES / "dense_csynth.xml")
    assert (report.design, report.part, report.estimated) == ("dense", "xck26-sfvc784-2LV-c", True)
    assert (report.latency_cycles, report.ii, report.fmax_mhz, report.clock_mhz) == (21, 22, 320.0, 200.0)
    assert report.resources == Resources(lut=731, ff=1042, dsp=16, bram=2)
    assert report.notes == ("Loop rows: 8 iterations, II 1.", "Loop clear: 16 iterations, not pipelined.")


def test_latency_that_depends_on_the_data_is_unknown(tmp_path: Path) -> None:
    text = (FILES / "dense_csynth.xml").read_text().replace(">21<", ">undef<").replace(">22<", ">?<")
    (tmp_path / "report.xml").write_text(text)
    report = csynth_report(tmp_path / "report.xml")
    assert (report.latency_cycles, report.ii) == (None, None)


def test_a_co_simulation_is_read_and_a_failed_one_is_an_error(tmp_path: Path) -> None:
    report = cosim_report(FILES / "dense_cosim.rpt", "dense")
    assert (report.latency_cycles, report.ii, report.cycles) == (20, 21, 401)
    failed = tmp_path / "dense_cosim.rpt"
    failed.write_text((FILES / "dense_cosim.rpt").read_text().replace("Pass", "Fail"))
    with pytest.raises(
        HardwareError, match=r"^Co-simulation of dense in Verilog ended with Fail: its RTL is not its C"
    ):
        cosim_report(failed, "dense")


def test_what_was_routed_is_read() -> None:
    report = vivado_report(FILES / "utilisation.rpt", FILES / "timing.rpt", "dense", "xck26", 5.0)
    assert report.resources == Resources(lut=618, ff=977, dsp=16, bram=2) and not report.estimated
    assert report.fmax_mhz == 160.0
    assert report.notes == ("dense misses its clock of 200.0 MHz: it reaches 160.0 MHz.",)


@pytest.mark.parametrize(("name", "text"), [("a.xml", "<profile/>"), ("b.xml", "no XML")])
def test_a_file_that_is_no_report_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(HardwareError, match=f"^{name} is no report of Vitis HLS: "):
        csynth_report(tmp_path / name)
    with pytest.raises(HardwareError, match=f"^{name} is no co-simulation report"):
        cosim_report(tmp_path / name, "dense")
    with pytest.raises(HardwareError, match=f"^{name} is no timing summary"):
        vivado_report(tmp_path / name, tmp_path / name, "dense", "xck26", 5.0)
    with pytest.raises(HardwareError, match=f"^{name} is no utilisation report"):
        vivado_report(tmp_path / name, FILES / "timing.rpt", "dense", "xck26", 5.0)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH, with stand-ins that leave our files where the tools leave theirs."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    synthesise = f"""
import pathlib, shutil
script = pathlib.Path('script.tcl').read_text()
assert 'set_top dense' in script and 'create_clock -period 5 ' in script and 'set_part xck26' in script
report = pathlib.Path('project/solution/syn/report'); report.mkdir(parents=True)
shutil.copy({str(FILES / "dense_csynth.xml")!r}, report)
if 'cosim_design' in script:
    assert pathlib.Path('bench.cpp').read_text() == 'int main() {{ return 0; }}' and 'add_files -tb bench.cpp' in script
    report = pathlib.Path('project/solution/sim/report'); report.mkdir(parents=True)
    shutil.copy({str(FILES / "dense_cosim.rpt")!r}, report)
"""
    implement = f"""
import pathlib, shutil
assert 'synth_design -top dense' in pathlib.Path('script.tcl').read_text()
assert pathlib.Path('project/solution/syn/report/dense_csynth.xml').exists()
for name in ('utilisation.rpt', 'timing.rpt'):
    shutil.copy(pathlib.Path({str(FILES)!r}, name), name)
"""
    stand_in(folder, "vitis_hls", synthesise)
    stand_in(folder, "vivado", implement)
    return folder


def stand_in(folder: Path, name: str, program: str) -> None:
    (folder / name).write_text(f"#!{sys.executable}\n{program}")
    (folder / name).chmod(0o755)


def test_the_surest_figures_come_first(tools: Path) -> None:
    estimate = vitis(SOURCE, "dense")
    assert (estimate.engine, estimate.latency_cycles, estimate.resources.lut) == ("Vitis HLS", 21, 731)
    measured = vitis(SOURCE, "dense", bench="int main() { return 0; }")
    assert (measured.latency_cycles, measured.ii, measured.resources.lut) == (20, 21, 731)
    routed = vitis(SOURCE, "dense", bench="int main() { return 0; }", implement=True)
    assert (routed.latency_cycles, routed.resources.lut, routed.fmax_mhz) == (20, 618, 160.0)
    assert routed.engine == "Vivado + Vitis cosim + Vitis HLS"


def test_a_second_time_nothing_runs(tools: Path) -> None:
    first = vitis(SOURCE, "dense")
    stand_in(tools, "vitis_hls", "raise SystemExit(1)")
    assert vitis(SOURCE, "dense") == first


def test_the_newer_command_is_known(tools: Path) -> None:
    shutil.move(tools / "vitis_hls", tools / "real.py")
    checked = "import runpy, sys; assert sys.argv[1:4] == ['--mode', 'hls', '--tcl']; "
    stand_in(tools, "vitis-run", f"{checked}runpy.run_path({str(tools / 'real.py')!r})")
    assert vitis(SOURCE, "dense").latency_cycles == 21


@pytest.mark.parametrize(
    ("said", "error", "message"),
    [
        (
            "../kernel.cpp:2:3: error: use of undeclared identifier 'z'",
            SourceRefused,
            "The C\\+\\+ source does not compile: 1 error.\nline 2: use of undeclared identifier 'z'",
        ),
        (
            "ERROR: [Common 17-345] A valid license was not found for feature 'Synthesis'.",
            ToolFailed,
            r"^Vitis HLS stopped: A valid license was not found for feature 'Synthesis'\.$",
        ),
    ],
)
def test_what_the_tool_refuses_is_one_sentence(tools: Path, said: str, error: type[Exception], message: str) -> None:
    stand_in(tools, "vitis_hls", f"print({said!r}); raise SystemExit(1)")
    with pytest.raises(error, match=message):
        vitis(SOURCE, "dense")


def test_a_tool_that_takes_too_long_is_stopped(tools: Path) -> None:
    stand_in(tools, "vitis_hls", "import time; time.sleep(60)")
    with pytest.raises(ToolTimeout, match=r"^Vitis HLS took more than 0\.5 s and was stopped\.$"):
        vitis(SOURCE, "dense", seconds=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"top": "dense; exit"}, "top is 'dense; exit': expected a plain name"),
        ({"part": "xck26 [exec ls]"}, "part is .*: expected a plain name"),
        ({"clock_ns": 0}, "clock_ns is a period in nanoseconds: it is 0"),
    ],
)
def test_nothing_but_names_goes_into_a_script(tools: Path, options: dict, message: str) -> None:
    with pytest.raises(HardwareError, match=message):
        vitis(SOURCE, **{"top": "dense", **options})


def test_absent_tools_are_one_sentence(tools: Path) -> None:
    (tools / "vivado").unlink()
    with pytest.raises(EngineMissing, match=r"^vivado is not in PATH, so nothing here can place and route with AMD's"):
        vitis(SOURCE, "dense", implement=True)
    (tools / "vitis_hls").unlink()
    with pytest.raises(EngineMissing, match=r"^vitis_hls is not in PATH, .* install AMD's Vivado and Vitis .*\.sh\.$"):
        vitis(SOURCE, "dense")
