"""Zip files for the tests, well-formed and not."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping

CENTRAL = b"PK\x01\x02"
LOCAL = b"PK\x03\x04"


def zipped(files: Mapping[str, bytes | str], time: tuple[int, ...] = (2026, 3, 1, 12, 30, 0)) -> bytes:
    """A zip of `files`, all changed at `time`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, (time[0], *time[1:6]))  # pyright: ignore[reportArgumentType]
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def with_mode(name: str, mode: int, content: bytes = b"/etc/passwd") -> bytes:
    """A zip whose one member has the Unix mode `mode`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        entry = zipfile.ZipInfo(name)
        entry.create_system = 3
        entry.external_attr = mode << 16
        archive.writestr(entry, content)
    return buffer.getvalue()


def patched(archive: bytes, offset_in_central: int, value: bytes, offset_in_local: int | None = None) -> bytes:
    """`archive` with bytes of its first member's headers overwritten."""
    content = bytearray(archive)
    places = [content.find(CENTRAL) + offset_in_central]
    if offset_in_local is not None:
        places.append(content.find(LOCAL) + offset_in_local)
    for place in places:
        content[place : place + len(value)] = value
    return bytes(content)


def sharing(names: list[str], content: bytes) -> bytes:
    """A zip whose every name stands for the same compressed data."""
    one = zipped({names[0]: content})
    start = one.find(CENTRAL)
    header = one[start : start + 46]
    directory = b"".join(
        header[:28] + struct.pack("<H", len(name)) + header[30:46] + name.encode("ascii") for name in names
    )
    return one[:start] + directory + _end(len(names), len(directory), start)


def crowded(number: int) -> bytes:
    """A zip with one readable file and a table of contents of `number` entries."""
    one = zipped({"alice.ipynb": b"{}"})
    start = one.find(CENTRAL)
    first = one[start : one.find(b"PK\x05\x06")]
    blank = struct.pack("<4s6H3L5H2L", CENTRAL, 20, 20, 0, 0, 0, 33, 0, 0, 0, 11, 0, 0, 0, 0, 0, start)
    directory = first + b"".join(blank + b"x/%09d" % index for index in range(number - 1))
    return one[:start] + directory + _end(number, len(directory), start)


def _end(number: int, size: int, start: int) -> bytes:
    return struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, number & 0xFFFF, number & 0xFFFF, size, start, 0)
