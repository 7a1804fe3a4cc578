"""Pages that are written from all masters together: what the labs cover, terms to teach, the map of the course."""

from __future__ import annotations

from pathlib import Path

from autograder import coverage, master, outline, plans

COURSE_MAP = Path("labs", "course.json")


def render(root: Path) -> dict[Path, str]:
    """Text of each page, by its path relative to `root`."""
    labs = master.load_all(root)
    return {
        Path("docs", "coverage.md"): coverage.page(labs),
        Path("docs", "plans.md"): plans.page(labs),
        COURSE_MAP: outline.course_map(labs),
    }


def write(root: Path) -> list[Path]:
    """Bring the pages up to date; return the paths that changed."""
    changed = []
    for path, text in render(root).items():
        target = root / path
        if not target.is_file() or target.read_text(encoding="utf-8") != text:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def differences(root: Path) -> list[str]:
    """One sentence for each page that is not what the masters give."""
    return [
        f"{path} is not what the masters give"
        for path, text in render(root).items()
        if not (root / path).is_file() or (root / path).read_text(encoding="utf-8") != text
    ]
