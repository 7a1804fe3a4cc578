"""Where nbgrader reads a hand-in: the exporter that never meets the student's file as a notebook."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import nbformat
from nbconvert.exporters import NotebookExporter
from nbgrader.coursedir import CourseDirectory

from autograder import handin


class HandInExporter(NotebookExporter):
    """Rebuild a submitted notebook from the release before nbgrader's steps see it.

    nbgrader reads twice: what was submitted, which is rebuilt here, and then what it wrote itself.
    """

    def from_filename(self, filename, resources=None, **kw):
        resources = resources or {}  # nbgrader always passes them
        course: CourseDirectory = cast(Any, self.parent).coursedir
        submission = resources["nbgrader"]
        places = (submission["student"], submission["assignment"])
        if Path(filename).parent == Path(course.format_path(course.autograded_directory, *places)):
            return super().from_filename(filename, resources=resources, **kw)
        folder = course.format_path(course.release_directory, ".", submission["assignment"])
        release = nbformat.read(Path(folder, f"{submission['notebook']}.ipynb"), as_version=4)
        notebook = handin.rebuild(release, handin.read(Path(filename)))
        metadata = {"name": submission["notebook"], "path": str(Path(filename).parent)}
        resources = {**resources, "metadata": metadata}
        return self.from_notebook_node(notebook, resources=resources, **kw)
