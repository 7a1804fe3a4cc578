"""List a zip of hand-ins, and read its files, without trust in what its headers claim."""

from __future__ import annotations

import re
import stat
import sys
import zipfile
from collections import Counter
from datetime import datetime
from functools import partial
from typing import IO, BinaryIO, cast

from autograder.handin import HandInError
from autograder.intake.members import NOT_REGULAR, Listing, Member, is_hidden, printable, too_large

START = b"PK\x03\x04"
MAX_DIRECTORY = 32 * 2**20  # bytes of the table of contents; 100 000 files take about 10 MB
MAX_OUTPUT = 4 * 2**30  # bytes that are unpacked of one zip altogether
_TRAILER = 2 * 2**16  # bytes that zipfile reads at the end, comment included, to find the table of contents
_LOCAL_HEADER = 30
_PIECE = 2**16


def zip_listing(stream: BinaryIO, max_directory: int = MAX_DIRECTORY) -> Listing:
    """List the zip in `stream`, which has to stay open while members are read.

    Parameters
    ----------
    max_directory : int
        Bytes that the table of contents may take. zipfile loads it whole, so this bounds its memory.

    Raises
    ------
    HandInError
        It is no zip, is damaged, or lists too many files.
    """
    archive = _open(stream, max_directory)
    entries = archive.infolist()
    if entries and min(entry.header_offset for entry in entries) > 0:
        raise HandInError("not a plain zip file: something stands before its first member")
    reader, problems = _Reader(archive), _problems(entries, archive.start_dir)
    listing = Listing([])
    for entry, problem in zip(entries, problems, strict=True):
        path = tuple(part for part in _slashed(entry.filename).split("/") if part not in ("", "."))
        if reason := _objection(entry.orig_filename):
            listing.rejected.append(f"{printable(entry.orig_filename)}: {reason}")
        elif path and not any(map(is_hidden, path)):
            content = partial(reader.read, entry)
            listing.members.append(Member(path, _time(entry), _is_folder(entry), problem, content))
    return listing


class _Rationed:
    """As much of a stream's interface as zipfile reads with, for `ration` bytes altogether."""

    def __init__(self, stream: BinaryIO, ration: int) -> None:
        self._stream = stream
        self.ration = ration
        self.seek, self.tell, self.seekable = stream.seek, stream.tell, stream.seekable

    def read(self, size: int = -1) -> bytes:
        content = self._stream.read(self.ration + 1 if size < 0 else min(size, self.ration + 1))
        self.ration -= len(content)
        if self.ration < 0:
            raise HandInError("not a readable zip file: it lists too many files")
        return content


def _open(stream: BinaryIO, max_directory: int) -> zipfile.ZipFile:
    rationed = _Rationed(stream, max_directory + _TRAILER)
    try:
        archive = zipfile.ZipFile(cast(BinaryIO, rationed))
    except HandInError:
        raise
    except Exception:  # zipfile raises half a dozen kinds, most of them undocumented, when headers lie
        raise HandInError("not a readable zip file") from None
    rationed.ration = sys.maxsize - 1  # from here on the reader counts what comes out
    return archive


class _Reader:
    """Unpacks members into memory, counting what comes out."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.left = MAX_OUTPUT

    def read(self, entry: zipfile.ZipInfo, limit: int) -> bytes:
        if self.left <= 0:
            raise HandInError(f"its zip file unpacks to more than {MAX_OUTPUT // 2**30} GB")
        try:
            with self.archive.open(entry) as stream:
                return self._read(stream, limit)
        except HandInError:
            raise
        except Exception:  # as in _open
            raise HandInError("damaged in its zip file") from None

    def _read(self, stream: IO[bytes], limit: int) -> bytes:
        # In pieces: ZipExtFile.read copies everything it has so far for every 4 KiB that it inflates.
        pieces, size = [], 0
        while piece := stream.read(_PIECE):
            size += len(piece)
            self.left -= len(piece)
            if size > limit:
                raise too_large(limit)
            pieces.append(piece)
        return b"".join(pieces)


def _problems(entries: list[zipfile.ZipInfo], end: int) -> list[str]:
    """Why each entry is not to be read, or ""."""
    listed = Counter(entry.filename for entry in entries)
    ordered = sorted(range(len(entries)), key=lambda index: entries[index].header_offset)
    found = [""] * len(entries)
    for index, following in zip(ordered, [*ordered[1:], None], strict=False):
        entry = entries[index]
        after = end if following is None else entries[following].header_offset
        found[index] = _problem(entry)
        if listed[entry.filename] > 1:
            found[index] = "its name stands more than once in the zip file"
        elif entry.header_offset + _LOCAL_HEADER + entry.compress_size > after:
            # How a small zip unpacks to terabytes: many entries share the same data.
            found[index] = "its data overlaps another file's in the zip file"
    return found


def _problem(entry: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(entry.external_attr >> 16)  # 0 where the archiver knows no Unix modes
    if kind not in (0, stat.S_IFDIR if _is_folder(entry) else stat.S_IFREG):
        return NOT_REGULAR
    if entry.flag_bits & 1:
        return "encrypted in its zip file"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "packed by another method than deflate in its zip file"
    return ""


def _objection(name: str) -> str:
    """Why a name cannot be one of a hand-in's, or ""."""
    parts = _slashed(name).split("/")
    if "\0" in name:
        return "its name holds a NUL character"
    if not parts[0] or ".." in parts or re.match("[A-Za-z]:", name):
        return "its path leads out of the zip file"
    return ""


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return _slashed(entry.filename).endswith("/")


def _slashed(name: str) -> str:
    return name.replace("\\", "/")


def _time(entry: zipfile.ZipInfo) -> str:
    try:
        return datetime(*entry.date_time).isoformat()
    except ValueError:  # month 0, say
        return ""
