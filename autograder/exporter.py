"""nbgrader's doors for text: how it reads a hand-in, and how it writes a page."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import nbformat
from nbconvert.exporters import HTMLExporter, NotebookExporter, TemplateExporter
from nbconvert.filters import Highlight2HTML
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbgrader.coursedir import CourseDirectory

from autograder import handin, quarantine
from autograder.handin import HandInError


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
        beside = quarantine.extras(Path(filename).parent, submission["notebook"])
        if beside:
            raise HandInError(f"{beside[0].name} lies beside the notebook and could not be set aside")
        folder = course.format_path(course.release_directory, ".", submission["assignment"])
        release = nbformat.read(Path(folder, f"{submission['notebook']}.ipynb"), as_version=4)
        notebook = handin.rebuild(release, handin.read(Path(filename)))
        metadata = {"name": submission["notebook"], "path": str(Path(filename).parent)}
        resources = {**resources, "metadata": metadata}
        return self.from_notebook_node(notebook, resources=resources, **kw)


class PageExporter(HTMLExporter):
    """Write the pages of a class: what they share is rendered once, and nobody looks at a page twice.

    nbconvert highlights every cell of every page anew, most of which are the same for everybody, and parses the
    finished page to find pictures without alternative text. Ours have one, and answers hold no pictures.
    """

    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        self._highlight = lru_cache(maxsize=1000)(self._highlight_anew)

    def from_notebook_node(self, nb, resources=None, **kw):
        language = nb.metadata.get("language_info", {}).get("name", "ipython3")
        resources = self._init_resources(resources)
        data = WidgetsDataTypeFilter(notebook_metadata=self._nb_metadata, parent=self, resources=resources)
        self.register_filter("highlight_code", lambda source, metadata=None: self._highlight(source, language))
        self.register_filter("filter_data_type", data)
        return TemplateExporter.from_notebook_node(self, nb, resources, **kw)

    def _highlight_anew(self, source: str, language: str) -> str:
        return Highlight2HTML(pygments_lexer=language, parent=self)(source)
