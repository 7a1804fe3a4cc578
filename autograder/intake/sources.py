"""The three kinds of thing that hand-ins are imported from: a folder, a zip, one notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from autograder.handin import HandInError
from autograder.intake import zips
from autograder.intake.folders import file_listing, folder_listing
from autograder.intake.members import Listing


@contextmanager
def opened(path: Path) -> Iterator[Listing]:
    """List what is at `path`; its members can be read until the block ends.

    Raises
    ------
    HandInError
        There is no folder or regular file, or it is a zip that cannot be read.
    """
    if path.is_dir():
        yield folder_listing(path)
    elif path.is_file():
        with _stream(path) as stream:
            is_zip = stream.read(len(zips.START)) == zips.START
            yield zips.zip_listing(stream) if is_zip else file_listing(path)
    else:
        raise HandInError("there is no such file or folder of hand-ins")


def _stream(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise HandInError(f"cannot be read: {error.strerror}") from None
