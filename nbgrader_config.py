"""nbgrader's settings: run `nbgrader ...` at the root of the repository, or use formgrader in JupyterLab.

The steps are named as strings, so that reading this file imports nothing.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

root = Path(__file__).resolve().parent
sys.path.insert(0, str(root))  # nbgrader imports the steps below by name

c = get_config()  # noqa: F821  (nbgrader gives this function to its configuration files)

course = root / "course"
c.CourseDirectory.course_id = os.environ.get("ADLS_COURSE_ID", "adls")
c.CourseDirectory.root = str(course)
c.CourseDirectory.db_url = os.environ.get("ADLS_DB_URL", f"sqlite:///{course / 'gradebook.db'}")
c.Exchange.root = os.environ.get("ADLS_EXCHANGE", str(course / "exchange"))
c.ExchangeFactory.collect = "autograder.exchange.Collect"

c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "autograder.release.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "autograder.preprocessor.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# The exporter rebuilds every hand-in from the release, so that nothing is left for nbgrader's own steps to clean but
# what the gradebook knows better: kernel and hidden tests.
c.Autograde.exporter_class = "autograder.exporter.HandInExporter"
c.Autograde.pre_convert_hook = "autograder.quarantine.set_aside"
c.Autograde.sanitize_preprocessors = [
    "nbgrader.preprocessors.OverwriteKernelspec",
    "nbgrader.preprocessors.OverwriteCells",
]
c.Autograde.autograde_preprocessors = [
    "autograder.preprocessor.Judge",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "autograder.marking.DefuseAnswers",
    "autograder.marking.InsertRubrics",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.Judge.root = str(root)
c.Judge.sandbox = os.environ.get("ADLS_SANDBOX", "bubblewrap")  # or another of autograder.sandbox.KINDS
c.Judge.dask = os.environ.get("ADLS_DASK", "")  # a Dask scheduler, where hand-ins are judged elsewhere
c.InsertRubrics.solutions = str(root / "solutions")

c.GenerateFeedback.exporter_class = "autograder.exporter.PageExporter"
c.GenerateFeedback.preprocessors = [
    "autograder.marking.HideFromStudents",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.ExportPlugin.to = str(course / "grades.csv")
# Outputs too: a hand-in's script must not run in a marker's browser.
c.HTMLExporter.sanitize_html = True
