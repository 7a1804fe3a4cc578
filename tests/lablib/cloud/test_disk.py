from __future__ import annotations

import random

import pytest

from lablib.cloud.disk import Disk, FolderDisk

NEW = b"new new new"


def states(disk: Disk, requests: int | None = None) -> set[tuple]:
    """What many losses of power leave."""
    draw = random.Random(0).randrange
    at = len(disk.log) if requests is None else requests
    return {tuple(sorted(disk.after_power_loss(at, 0, draw).items())) for _ in range(300)}


def test_what_was_flushed_with_its_name_is_all_that_a_loss_of_power_leaves() -> None:
    disk = Disk({"old": b"old"})
    for request in [("write", "a", NEW), ("flush", "a"), ("flush folder",)]:
        disk.do(*request)
    assert states(disk) == {(("a", NEW), ("old", b"old"))}


def test_a_name_may_come_without_its_data_and_data_without_their_name() -> None:
    disk = Disk()
    disk.do("write", "a", NEW)
    disk.do("rename", "a", "b")
    found = states(disk)
    assert () in found and (("b", b""),) in found and (("b", bytes(len(NEW))),) in found and (("b", NEW),) in found
    assert any(dict(files).get("a") is not None for files in found)
    disk.do("flush", "b")
    assert states(disk) == {(), (("a", NEW),), (("b", NEW),)}
    disk.do("flush folder")
    assert states(disk) == {(("b", NEW),)}


def test_names_come_in_order() -> None:
    disk = Disk()
    for name in "abc":
        disk.do("write", name, b"1")
        disk.do("flush", name)
    assert {"".join(name for name, _ in files) for files in states(disk)} == {"", "a", "ab", "abc"}


def test_writing_over_a_file_puts_the_old_one_at_risk() -> None:
    disk = Disk({"a": b"good"})
    disk.do("write", "a", b"better")
    assert (("a", b"good"),) not in {files for files in states(disk) if files != (("a", b"good"),)}
    assert (("a", b""),) in states(disk)


def test_a_kill_leaves_all_that_was_written_and_cuts_the_last_write() -> None:
    disk = Disk({"old": b"old"})
    disk.do("write", "a", NEW)
    disk.do("remove", "old")
    assert disk.after_kill(0, 3) == {"old": b"old", "a": NEW[:3]}
    assert disk.after_kill(2, 0) == {"a": NEW}


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        (("erase", "a"), "no 'erase'"), (("write", "a"), "takes 2 arguments, but got 1"),
        (("write", "a", "text"), "takes bytes, but got str"), (("flush", "b"), "no such file"),
        (("read", "b"), "no such file"), (("read",), "takes 1 arguments, but got 0"),
        (("names", "b"), "takes 0 arguments, but got 1"), (("remove", "b"), "no such file"),
        (("rename", "b", "c"), "no such file"),
    ],
)  # fmt: skip
def test_what_a_disk_cannot_do_is_said(request_: tuple, words: str, tmp_path) -> None:
    for disk in (Disk(), FolderDisk(tmp_path)):
        with pytest.raises(ValueError, match=words):
            disk.do(*request_)


def test_a_folder_does_as_the_disk_in_memory(tmp_path) -> None:
    real, model = FolderDisk(tmp_path / "new", chunk=3), Disk()
    requests = [
        ("write", "a", NEW), ("flush", "a"), ("rename", "a", "b"), ("write", "c", b""), ("remove", "c"),
        ("write", "b", b"shorter"), ("flush folder",),
    ]  # fmt: skip
    for request in requests:
        assert real.do(*request) is model.do(*request) is None
    assert real.files() == model.files() and real.do("names") == model.do("names") == ["b"]
    assert real.do("read", "b") == b"shorter"
