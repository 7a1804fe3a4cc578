"""What a sandbox shows, and in which order it is put there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from autograder.sandbox import bubblewrap, layout, unshare
from autograder.sandbox.layout import Entry


def entry(entries: list[Entry], target: str) -> Entry:
    return next(entry for entry in entries if entry.target == target)


def test_everything_comes_after_what_it_lies_in(tmp_path: Path) -> None:
    (tmp_path / "assets").mkdir()
    seen = set()
    for one in layout.layout(tmp_path):
        around = {str(parent) for parent in Path(one.target).parents} - {"/"}
        assert around <= seen
        assert one.target not in seen
        seen.add(one.target)
    assert {"/lab/assets", "/proc", sys.prefix, str(layout.REPOSITORY / "lablib")} <= seen


def test_the_repository_is_hidden_even_inside_what_is_shown(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    prefix = tmp_path / "prefix"
    repository = prefix / "course"
    for path in ("lablib", "autograder/inside", ".venv"):
        (repository / path).mkdir(parents=True)
    (repository / "autograder/__init__.py").touch()
    monkeypatch.setattr(layout, "REPOSITORY", repository)
    monkeypatch.setattr(sys, "base_prefix", str(prefix))
    monkeypatch.setattr(sys, "prefix", str(repository / ".venv"))
    (tmp_path / "lab").mkdir()
    entries = layout.layout(tmp_path / "lab")
    order = [prefix, repository, repository / ".venv"]
    found = [entry(entries, str(path)) for path in order]
    assert [one.kind for one in found] == ["bind", "hidden", "bind"]
    assert sorted(found, key=entries.index) == found
    shown = {one.target for one in entries if one.kind == "bind" and one.target.startswith(f"{repository}/")}
    assert shown == {
        str(repository / path) for path in (".venv", "lablib", "autograder/__init__.py", "autograder/inside")
    }


def test_of_a_folder_with_something_withheld_the_rest_is_shown_and_nothing_lies_below(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    root = tmp_path / "course"
    for path in ("lablib/models/trained", "lablib/models/__pycache__", "lablib/hls", "autograder/inside", "lab"):
        (root / path).mkdir(parents=True)
    for path in ("gpt.py", "vae.py", "trained/gpt.npz", "trained/vae.npz", "__pycache__/gpt.cpython-311.pyc"):
        (root / "lablib/models" / path).touch()
    (root / "autograder/__init__.py").touch()
    monkeypatch.setattr(layout, "REPOSITORY", root)
    withheld = [root / "lablib/models/gpt.py", root / "lablib/models/trained/gpt.npz"]
    entries = {one.target: one.kind for one in layout.layout(root / "lab", withheld=withheld)}
    found = {str(Path(path).relative_to(root)): kind for path, kind in entries.items() if f"{root}/lablib" in path}
    assert found == {
        "lablib": "hidden", "lablib/hls": "bind", "lablib/models": "hidden", "lablib/models/vae.py": "bind",
        "lablib/models/trained": "hidden", "lablib/models/trained/vae.npz": "bind",
    }  # fmt: skip


def test_a_link_is_shown_as_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/given").symlink_to("../data")
    assert entry(layout.layout(tmp_path / "lab"), "/lab/given").source == str(tmp_path / "data")


def test_gpu_devices_are_there_when_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ["nvidia0", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(layout, "_GPU_DEVICES", (f"{tmp_path}/nvidia*", f"{tmp_path}/nvidia-caps/*"))
    lab = tmp_path / "lab"
    lab.mkdir()
    devices = {one.target for one in layout.layout(lab, gpu=True) if one.kind == "device"}
    assert devices - set(layout._DEVICES) == {str(tmp_path / name) for name in names}
    assert {one.target for one in layout.layout(lab) if one.kind == "device"} == set(layout._DEVICES)


def test_bubblewrap_gets_every_entry_and_freezes_what_hides() -> None:
    entries = [
        Entry("/a", "bind", "/b"),
        Entry("/dev/nvidia0", "device", "/dev/nvidia0"),
        Entry("/dev/fd", "link", "/proc/self/fd"),
        Entry("/home", "folder"),
        Entry("/course", "hidden"),
        Entry("/tmp", "tmp"),
        Entry("/proc", "proc"),
    ]
    words = " ".join(bubblewrap.command(entries, ["sys_admin"], ["true"]))
    assert (
        "--ro-bind /b /a --dev-bind /dev/nvidia0 /dev/nvidia0 --symlink /proc/self/fd /dev/fd --dir /home "
        "--tmpfs /course --tmpfs /tmp --proc /proc --remount-ro /course --remount-ro / --chdir /lab true"
    ) in words
    assert "--cap-drop ALL --cap-add CAP_SYS_ADMIN" in words


def test_unshare_drops_every_capability_but_those_asked_for() -> None:
    words = unshare.command([Entry("/tmp", "tmp")], ["sys_admin", "setuid"], ["true"])
    assert words[-6:] == [
        "--no-new-privs", "--bounding-set", "-all,+sys_admin,+setuid", "--inh-caps=-all", "--ambient-caps=-all", "true"
    ]  # fmt: skip
