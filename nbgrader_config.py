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
c.CourseDirectory.db_url = f"sqlite:///{course / 'gradebook.db'}"
c.Exchange.root = str(course / "exchange")

c.GenerateAssignment.preprocessors = [
    "nbgrader.preprocessors.LockCells",
    "autograder.release.ClearSolutions",
    "nbgrader.preprocessors.ClearOutput",
    "nbgrader.preprocessors.CheckCellMetadata",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.SaveCells",
    "nbgrader.preprocessors.ClearHiddenTests",
    "nbgrader.preprocessors.ComputeChecksums",
    "nbgrader.preprocessors.CheckCellMetadata",
]

# The exporter rebuilds every hand-in from the release: of the student's file only answers are kept.
c.Autograde.exporter_class = "autograder.exporter.HandInExporter"
c.Autograde.autograde_preprocessors = [
    "autograder.execution.ExecuteHandIn",
    "autograder.execution.KeepVerdicts",
    "nbgrader.preprocessors.LimitOutput",
    "nbgrader.preprocessors.SaveAutoGrades",
    "nbgrader.preprocessors.AssignLatePenalties",
    "autograder.marking.DefuseAnswers",
    "autograder.marking.InsertRubrics",
    "nbgrader.preprocessors.CheckCellMetadata",
]
c.ExecuteHandIn.timeout = 120  # seconds for one cell
c.ExecuteHandIn.labs = str(root / "labs")
c.ExecuteHandIn.sandbox = os.environ.get("ADLS_SANDBOX", "bubblewrap")  # or "none"
c.InsertRubrics.solutions = str(root / "solutions")

c.GenerateFeedback.preprocessors = [
    "autograder.marking.HideFromStudents",
    "nbgrader.preprocessors.GetGrades",
    "nbconvert.preprocessors.CSSHTMLHeaderPreprocessor",
]
c.ExportPlugin.to = str(course / "grades.csv")
# Outputs too: a hand-in's script must not run in a marker's browser.
c.HTMLExporter.sanitize_html = True
