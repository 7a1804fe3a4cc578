"""Take hand-ins from notebooks, folders and an LMS's zip files into the course."""

from autograder.intake.importing import Imported, IntakeError, import_folder, import_hand_ins
from autograder.intake.student_ids import STUDENT_ID, student_id

__all__ = ["STUDENT_ID", "Imported", "IntakeError", "import_folder", "import_hand_ins", "student_id"]
