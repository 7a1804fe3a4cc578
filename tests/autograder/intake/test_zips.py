"""Whatever a zip's headers claim, listing and reading it ends in bytes within the limit or in a reason."""

from __future__ import annotations

import io
import stat
import struct
import warnings
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.handin import MAX_BYTES, HandInError
from autograder.intake import zips
from autograder.intake.members import Listing, Member

from .samples import CENTRAL, crowded, patched, sharing, with_mode, zipped


def _listing(content: bytes) -> Listing:
    return zips.zip_listing(io.BytesIO(content))


def _only(content: bytes) -> Member:
    (member,) = _listing(content).members
    return member


def test_members_are_listed_with_path_and_time_and_read() -> None:
    folder, file = _listing(zipped({"alice/": b"", "./alice/lab90.ipynb": b"{}"})).members
    assert (folder.path, folder.is_folder) == (("alice",), True)
    assert (file.path, file.time, file.is_folder) == (("alice", "lab90.ipynb"), "2026-03-01T12:30:00", False)
    assert file.read() == b"{}"


def test_what_macos_and_jupyter_leave_behind_is_not_listed() -> None:
    names = ["__MACOSX/._a.ipynb", ".DS_Store", "a/.ipynb_checkpoints/a-checkpoint.ipynb", "a/a.ipynb"]
    assert [member.path for member in _listing(zipped(dict.fromkeys(names, b""))).members] == [("a", "a.ipynb")]


@pytest.mark.parametrize(
    "name",
    ["../alice.ipynb", "a/../../b.ipynb", "/etc/passwd", "C:/x.ipynb", "c:x.ipynb", "..\\x.ipynb", "\\\\host\\x.ipynb"],
)
def test_a_path_out_of_the_zip_is_rejected_and_the_rest_listed(name: str) -> None:
    listing = _listing(zipped({name: b"evil", "alice.ipynb": b"{}"}))
    assert listing.rejected == [f"{name}: its path leads out of the zip file"]
    assert [member.path for member in listing.members] == [("alice.ipynb",)]


def test_a_name_with_a_nul_is_rejected() -> None:
    content = zipped({"aliceX.txt": b"{}"}).replace(b"aliceX", b"alice\0")
    assert _listing(content).rejected == ["alice?.txt: its name holds a NUL character"]


def test_backslashes_of_old_windows_archivers_separate_folders() -> None:
    assert _only(zipped({"alice\\lab90.ipynb": b"{}"})).path == ("alice", "lab90.ipynb")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFBLK, stat.S_IFCHR, stat.S_IFDIR])
def test_a_link_pipe_socket_or_device_is_not_read(kind: int) -> None:
    with pytest.raises(HandInError, match=r"^not a regular file$"):
        _only(with_mode("alice.ipynb", kind | 0o777)).read()


def test_a_member_that_unpacks_past_the_limit_is_not_read() -> None:
    with pytest.raises(HandInError, match=r"^larger than 20 MB$"):
        _only(zipped({"a.ipynb": bytes(MAX_BYTES + 1)})).read()


def test_a_member_of_exactly_the_limit_is_read() -> None:
    assert _only(zipped({"a.ipynb": bytes(1000)})).read(1000) == bytes(1000)


@pytest.mark.parametrize("claimed", [0, 10, 999, 1001, 2**32 - 2])
def test_a_size_that_the_header_lies_about_does_not_count(claimed: int) -> None:
    content = patched(zipped({"a.ipynb": bytes(1000)}), 24, struct.pack("<L", claimed), 22)
    member = _only(content)
    try:
        assert member.read(1000) == bytes(1000)
    except HandInError as error:
        assert str(error) == "damaged in its zip file"


def test_all_that_is_unpacked_of_one_zip_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zips, "MAX_OUTPUT", 1500)
    first, second, third = _listing(zipped({name: bytes(1000) for name in "abc"})).members
    assert len(first.read()) == len(second.read()) == 1000
    with pytest.raises(HandInError, match="unpacks to more than"):
        third.read()


def test_entries_that_share_their_data_are_not_read() -> None:
    *sharers, last = _listing(sharing(["a.ipynb", "b.ipynb", "c.ipynb"], bytes(10**6))).members
    for member in sharers:
        with pytest.raises(HandInError, match="its data overlaps another file's"):
            member.read()
    with pytest.raises(HandInError, match="damaged"):  # the data are a.ipynb's
        last.read()


def test_a_name_that_stands_twice_is_not_read() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        archive.writestr("a.ipynb", "1")
        archive.writestr("a.ipynb", "2")
    for member in _listing(buffer.getvalue()).members:
        with pytest.raises(HandInError, match="its name stands more than once"):
            member.read()


def test_an_encrypted_member_is_not_read() -> None:
    content = patched(zipped({"a.ipynb": b"{}"}), 8, b"\x01", 6)
    with pytest.raises(HandInError, match=r"^encrypted in its zip file$"):
        _only(content).read()


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 97])
def test_only_deflated_and_stored_members_are_read(method: int) -> None:
    content = patched(zipped({"a.ipynb": b"{}"}), 10, struct.pack("<H", method), 8)
    with pytest.raises(HandInError, match="another method than deflate"):
        _only(content).read()


def test_a_wrong_checksum_is_damage() -> None:
    content = patched(zipped({"a.ipynb": b"{}"}), 16, b"\0\0\0\0")
    with pytest.raises(HandInError, match=r"^damaged in its zip file$"):
        _only(content).read()


@pytest.mark.parametrize("prefix", [b"%PDF-1.7\n", zipped({"other.ipynb": b"{}"})], ids=["pdf", "zip"])
def test_a_zip_behind_something_else_is_refused(prefix: bytes) -> None:
    with pytest.raises(HandInError, match="something stands before its first member"):
        _listing(prefix + zipped({"a.ipynb": b"{}"}))


def test_an_impossible_date_is_no_time() -> None:
    assert _only(patched(zipped({"a.ipynb": b"{}"}), 12, b"\xff\xff\xff\xff")).time == ""


def test_a_hundred_thousand_entries_are_listed() -> None:
    listing = _listing(crowded(100_000))
    assert len(listing.members) == 100_000
    assert listing.members[0].read() == b"{}"


def test_a_table_of_contents_past_its_limit_is_not_loaded() -> None:
    with pytest.raises(HandInError, match="it lists too many files"):
        zips.zip_listing(io.BytesIO(crowded(10_000)), max_directory=100_000)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"x" * 200_000])
def test_what_is_no_zip_has_a_reason_or_no_members(content: bytes) -> None:
    try:
        assert _listing(content).members == []
    except HandInError as error:
        assert "not a readable zip file" in str(error)


def _all_read(content: bytes, limit: int) -> None:
    try:
        members = _listing(content).members
    except HandInError:
        return
    for member in members:
        assert ".." not in member.path and "" not in member.path
        try:
            assert len(member.read(limit)) <= limit
        except HandInError as error:
            assert str(error) and "\n" not in str(error)


SAMPLE = zipped({"alice.ipynb": b'{"cells": []}' * 20, "bob/lab90.ipynb": b"[]", "é.zip": zipped({"x": b"y"})})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE) - 1), st.integers(0, 255)), min_size=1, max_size=12))
def test_a_damaged_zip_raises_nothing_but_reasons(damage: list[tuple[int, int]]) -> None:
    content = bytearray(SAMPLE)
    for place, value in damage:
        content[place] = value
    _all_read(bytes(content), 200)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.integers(0, len(SAMPLE)), st.booleans())
def test_random_bytes_raise_nothing_but_reasons(noise: bytes, place: int, whole: bool) -> None:
    _all_read(SAMPLE[:place] + noise + (SAMPLE[place:] if whole else b""), 200)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(min_size=0, max_size=46), max_size=8))
def test_a_random_table_of_contents_raises_nothing_but_reasons(headers: list[bytes]) -> None:
    start = SAMPLE.find(CENTRAL)
    directory = b"".join(CENTRAL + header.ljust(42, b"\0")[:42] for header in headers)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, len(headers), len(headers), len(directory), start, 0)
    _all_read(SAMPLE[:start] + directory + end, 200)
