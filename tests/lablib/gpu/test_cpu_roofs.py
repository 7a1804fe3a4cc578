from __future__ import annotations

import pytest

from lablib.gpu import cpu_roofs


def test_cache_sizes_are_read_in_bytes_and_instructions_are_left_out(tmp_path):
    told = [("1", "Data", "48K"), ("1", "Instruction", "32K"), ("2", "Unified", "2M"), ("3", "Unified", "12345")]
    for number, (level, kind, size) in enumerate(told):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in (("level", level), ("type", kind), ("size", size)):
            (folder / name).write_text(text + "\n")
    assert cpu_roofs.cache_sizes(tmp_path) == {"L1": 48 * 1024, "L2": 2 * 2**20, "L3": 12345}


@pytest.mark.parametrize("told", [{}, {"size": "unknown"}, {"size": "0K"}, {"size": "48K", "level": ""}])
def test_what_cannot_be_read_is_left_out(tmp_path, told):
    for number, files in enumerate(
        [{"level": "1", "type": "Data", **told}, {"level": "2", "type": "Unified", "size": "2M"}]
    ):
        folder = tmp_path / f"index{number}"
        folder.mkdir()
        for name, text in files.items():
            (folder / name).write_text(text + "\n")
    assert cpu_roofs.cache_sizes(tmp_path) == {"L2": 2 * 2**20}


def test_a_machine_that_tells_nothing_has_no_caches(tmp_path):
    assert cpu_roofs.cache_sizes(tmp_path) == {}


def test_probes_say_what_they_did(monkeypatch):
    monkeypatch.setattr(cpu_roofs, "best_seconds", lambda function: (function(), 0.5)[1])
    found = cpu_roofs.probes(largest=2**19)
    products, copies = [p for p in found if p["flops"]], [p for p in found if not p["flops"]]
    assert [p["flops"] for p in products] == [2 * n**3 for n in (64, 256, 1024)]
    assert [p["working_set"] for p in copies] == [2**15, 2**18] == [p["bytes"] for p in copies]
    assert {p["seconds"] for p in found} == {0.5}
    assert [p["name"] for p in copies] == ["copy in 32 KiB", "copy in 256 KiB"]
