"""Gradescope's `submission_metadata.yml`, which says whose each folder of its export is."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import yaml

from autograder.handin import HandInError
from autograder.intake.members import Member, printable

NAME = "submission_metadata.yml"
MAX_METADATA = 64 * 2**20  # it repeats every output of every autograder run
_MAX_DEPTH = 64
_UNREADABLE = f"{NAME}: not readable as YAML"
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)[.\d]*\s*(Z|[+-]\d\d:\d\d)?")
# In C where libyaml is there. Either makes texts, lists and dicts only, and no number or date of a student number.
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def find_metadata(members: Sequence[Member]) -> dict[str, dict] | None:
    """Return the metadata by folder, or None where `members` are no export of Gradescope's.

    Raises
    ------
    HandInError
        It is there but cannot be read.
    """
    for member in members:
        if member.path == (NAME,) and not member.is_folder:
            found = _parse(member.read(MAX_METADATA))
            return {key: value for key, value in found.items() if isinstance(value, dict)}
    return None


def submitters(submission: dict) -> Iterator[tuple[str, str]]:
    """Name and number of each student of one submission; who has no student number has an email address."""
    found = submission.get(":submitters")
    for person in found if isinstance(found, list) else []:
        if isinstance(person, dict):
            name, number, email = (_text(person.get(key)) for key in (":name", ":sid", ":email"))
            if name or number or email:
                yield name or email or number, number or email


def groups(metadata: dict[str, dict]) -> list[str]:
    """A sentence for each group: their hand-ins are alike because they are one."""
    people = [[printable(name) for name, _ in submitters(submission)] for submission in metadata.values()]
    return [f"{', '.join(names)}: handed in together" for names in people if len(names) > 1]


def created(submission: dict) -> str:
    """When it was handed in, as ISO 8601 with its zone, or ""."""
    match = _TIME.match(_text(submission.get(":created_at")))
    return f"{match[1]}T{match[2]}{match[3] or ''}" if match else ""


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _parse(content: bytes) -> dict:
    try:
        _check_depth(content)
        found = yaml.load(content, Loader=_LOADER)
    except (yaml.YAMLError, ValueError):  # ValueError: bytes that are no text
        raise HandInError(_UNREADABLE) from None
    if not isinstance(found, dict):
        raise HandInError(_UNREADABLE)
    return found


def _check_depth(content: bytes) -> None:
    """Refuse deep nesting, which crashes libyaml's composer. A student's own results are part of the file."""
    depth = 0
    for event in yaml.parse(content, Loader=_LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            raise HandInError(_UNREADABLE)
