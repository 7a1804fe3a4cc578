"""Sphinx's settings; `python -m docs.site` lays out the pages that they are about."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import plotly
from docutils import nodes
from latex2mathml.converter import convert

import lablib

HERE = Path(__file__).parent

project = "Advanced Deep Learning Systems: the labs"
copyright = "Code under Apache-2.0, prose and pictures under CC BY 4.0"
version = release = lablib.__version__
language = "en_GB"

extensions = ["myst_nb", "sphinx.ext.apidoc", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns = ["api/modules.rst", "docs/student/**"]
suppress_warnings = [
    "misc.highlighting_failure",  # cells in other languages and with magics
    "ref.python",  # a class's bare name that two modules have
]

# Labs come with their outputs.
nb_execution_mode = "off"
nb_output_stderr = "remove"
nb_merge_streams = True
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

apidoc_modules = [
    {"path": HERE.parents[1] / "lablib", "destination": "api", "module_first": True, "include_private": False}
]
autodoc_default_options = {"members": True, "ignore-module-all": True}  # each name once, where it is defined
autodoc_inherit_docstrings = False
autodoc_use_type_comments = False  # there are none, and looking takes a tenth of the time
toc_object_entries = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
default_role = "code"

html_theme = "furo"
html_title = "ADLS labs"
html_static_path = [str(HERE / "static"), str(Path(plotly.__file__).parent / "package_data" / "plotly.min.js")]
html_css_files = ["site.css"]
html_js_files = [("figures.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_math_renderer = "mathml"
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
templates_path: list[str] = []


def mathml(self: Any, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers and screen readers know without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    self.body.append(convert(node.astext(), display=display))
    raise nodes.SkipNode


def literal_blocks(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Keep the drawings and equations of a module's docstring, which stand indented, as they are."""
    if what == "module":
        for number in reversed(range(1, len(lines))):
            if lines[number].startswith("    ") and not lines[number - 1].strip():
                lines[number:number] = ["::", ""]


def levels(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Give the captions of the table of contents, which Sphinx calls headings, a level."""
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')


def setup(app: Any) -> None:
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # docstrings show what a laptop shows
    app.connect("autodoc-process-docstring", literal_blocks)
    app.connect("html-page-context", levels, priority=900)  # after Furo
    app.add_html_math_renderer("mathml", (mathml, None), (mathml, None))
