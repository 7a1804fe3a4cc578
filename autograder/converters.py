"""nbgrader's converters, run in this process."""

from __future__ import annotations

import contextlib
import logging
import re

from nbconvert.writers.files import FilesWriter
from nbgrader.converters import Autograde, BaseConverter, GenerateAssignment, GenerateFeedback
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from autograder.errors import AutograderError

JUDGE = "autograder.preprocessor.Judge"
_EXCEPTION = re.compile(r"\s*[\w.]*(Error|Exception|Entry)\b: ")


class ConverterError(AutograderError):
    """nbgrader refused a step; the message holds its last words."""


class Converter:
    """One of nbgrader's steps over many hand-ins.

    nbgrader makes a new exporter for each hand-in, and compiles its templates each time; this keeps one.

    Parameters
    ----------
    kind
        The step: a class of `nbgrader.converters`.
    config
        What nbgrader_config.py says.
    """

    def __init__(self, kind: type[BaseConverter], config: Config) -> None:
        self._words = _LastWords()
        log = logging.Logger("nbgrader", logging.WARNING)
        log.addHandler(self._words)
        self._course = CourseDirectory(config=config, log=log)
        self.nbgrader = kind(coursedir=self._course, config=config, log=log, force=True)
        self.nbgrader.writer = FilesWriter(parent=self.nbgrader, config=self.nbgrader.config)
        self.nbgrader.exporter = self.nbgrader.exporter_class(parent=self.nbgrader, config=self.nbgrader.config)
        for step in self.nbgrader.preprocessors:
            self.nbgrader.exporter.register_preprocessor(step)

    def convert(self, lab: str, student: str) -> None:
        """Convert one student's hand-in; "." for the student stands for the course.

        Raises
        ------
        ConverterError
            It failed. nbgrader has removed what it had written.
        """
        self._course.assignment_id, self._course.student_id = lab, student
        self._words.lines.clear()
        self.nbgrader.writer.build_directory = ""  # it makes a folder only when it is another than the last one
        try:
            with contextlib.chdir(self._course.root):
                self.nbgrader.init_notebooks()
                self.nbgrader.convert_notebooks()
        except Exception as error:
            raise ConverterError(last_error(self._words.lines) or str(error)) from None


def assigner(config: Config) -> Converter:
    """From source to release."""
    return Converter(GenerateAssignment, config)


def grader(config: Config, judge: NbGraderPreprocessor) -> Converter:
    """From hand-in to gradebook, with `judge` in the place of the step that looks for a verdict."""
    made = Converter(Autograde, config)
    steps = config.Autograde.autograde_preprocessors
    made.nbgrader.set_trait("autograde_preprocessors", [judge if step == JUDGE else step for step in steps])
    return made


def explainer(config: Config) -> Converter:
    """From gradebook to a page for the student."""
    return Converter(GenerateFeedback, config)


def last_error(lines: list[str]) -> str:
    """The exception that nbgrader's log reports last, or else the log's last line."""
    exceptions = [line for line in lines if _EXCEPTION.match(line)]
    return (exceptions or lines or [""])[-1].strip()[:300]


class _LastWords(logging.Handler):
    """Keeps the lines of errors."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines += record.getMessage().strip().splitlines()
