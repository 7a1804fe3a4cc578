"""Files in a folder that students may write to: only regular files of their own are read, and no link is followed."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from autograder.handin import HandInError
from autograder.intake import folders
from autograder.intake.folders import folder_listing
from autograder.intake.members import Member


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "handins" / "alice").mkdir(parents=True)
    (tmp_path / "handins" / "alice" / "lab90.ipynb").write_text("{}")
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "handins"


def _members(folder: Path) -> dict[str, Member]:
    return {"/".join(member.path): member for member in folder_listing(folder).members}


def _reason(member: Member) -> str:
    with pytest.raises(HandInError) as caught:
        member.read()
    return str(caught.value)


def test_files_are_listed_below_their_folders_and_read(folder: Path) -> None:
    os.utime(folder / "alice" / "lab90.ipynb", (0, 1_700_000_000))
    found = _members(folder)
    assert list(found) == ["alice", "alice/lab90.ipynb"]
    assert found["alice"].is_folder
    assert found["alice/lab90.ipynb"].read() == b"{}"
    assert found["alice/lab90.ipynb"].time.startswith("2023-11-1")


def test_hidden_files_and_folders_are_not_listed(folder: Path) -> None:
    (folder / "alice" / ".ipynb_checkpoints").mkdir()
    (folder / "alice" / ".ipynb_checkpoints" / "lab90-checkpoint.ipynb").write_text("{}")
    (folder / ".bob.ipynb").write_text("{}")
    assert list(_members(folder)) == ["alice", "alice/lab90.ipynb"]


def test_links_pipes_and_sockets_are_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "link.ipynb").symlink_to(folder.parent / "secret")
    (folder / "dangling.ipynb").symlink_to("nowhere")
    (folder / "loop.ipynb").symlink_to("loop.ipynb")
    (folder / "device.ipynb").symlink_to("/dev/zero")
    (folder / "folder").symlink_to(folder.parent)
    os.mkfifo(folder / "pipe.ipynb")
    monkeypatch.chdir(folder)  # a socket's path has to be short
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("socket.ipynb")
        found = _members(folder)
    assert not [name for name in found if name.startswith("folder/")]
    for name in ("link.ipynb", "dangling.ipynb", "loop.ipynb", "device.ipynb", "folder", "pipe.ipynb", "socket.ipynb"):
        assert _reason(found[name]) == "not a regular file"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device nodes")
def test_a_device_is_not_read(folder: Path) -> None:
    try:
        os.mknod(folder / "zero.ipynb", 0o666 | 0o020000, os.makedev(1, 5))
    except PermissionError:
        pytest.skip("this container makes no device nodes")
    assert _reason(_members(folder)["zero.ipynb"]) == "not a regular file"


def test_a_hard_link_is_not_read(folder: Path) -> None:
    os.link(folder.parent / "secret", folder / "bob.ipynb")
    assert _reason(_members(folder)["bob.ipynb"]).startswith("a hard link, so the file may belong to")


@pytest.mark.parametrize("swapped", ["alice", "alice/lab90.ipynb"])
def test_what_becomes_a_link_after_it_was_listed_is_not_followed(folder: Path, swapped: str) -> None:
    member = _members(folder)["alice/lab90.ipynb"]
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "lab90.ipynb").write_text("secret")
    (folder / swapped).rename(folder.parent / "moved")
    (folder / swapped).symlink_to(elsewhere if swapped == "alice" else elsewhere / "lab90.ipynb")
    assert _reason(member) == "not a regular file"


def test_what_is_removed_after_it_was_listed_has_a_reason(folder: Path) -> None:
    member = _members(folder)["alice/lab90.ipynb"]
    (folder / "alice" / "lab90.ipynb").unlink()
    assert _reason(member) == "cannot be read: No such file or directory"


def test_a_sparse_file_past_the_limit_is_not_read(folder: Path) -> None:
    with (folder / "large.ipynb").open("wb") as stream:
        stream.truncate(2**40)
    assert _reason(_members(folder)["large.ipynb"]) == "larger than 20 MB"


def test_a_students_endless_folder_hides_nobody_else(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "MAX_FOUND", 20)
    for number in range(15):
        (folder / "aaron" / str(number) / str(number)).mkdir(parents=True)
    found = _members(folder)
    assert len([name for name in found if name.startswith("aaron/")]) == 20
    assert "alice/lab90.ipynb" in found


def test_upper_levels_come_first(folder: Path) -> None:
    (folder / "alice" / "a" / "b").mkdir(parents=True)
    (folder / "alice" / "c").mkdir()
    assert list(_members(folder)) == ["alice", *(f"alice/{name}" for name in ("a", "c", "lab90.ipynb", "a/b"))]


def test_names_and_times_that_no_system_should_have_are_listed(folder: Path) -> None:
    strange = os.fsencode(folder) + b"/\xff\n\xe2\x80\xae.ipynb"
    with open(strange, "wb") as stream:
        stream.write(b"{}")
    os.utime(strange, (0, -(2**33)))
    (member,) = (member for member in folder_listing(folder).members if member.path[0].startswith("\udcff"))
    assert member.read() == b"{}"
