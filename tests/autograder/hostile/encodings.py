"""Files that are no notebook, or that no parser should be trusted with."""

from __future__ import annotations

import json
import os
from pathlib import Path

from autograder import handin

from .attack import Attacks, Notebook

ATTACKS = Attacks()


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def cut_off(notebook: Notebook, folder: Path) -> bytes:
    return json.dumps(notebook).encode()[:-300]


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def nothing(notebook: Notebook, folder: Path) -> bytes:
    return b""


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def bytes_that_are_no_text(notebook: Notebook, folder: Path) -> bytes:
    return b"\x80\x04PK\x03\x04" + os.urandom(1000)


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def a_deep_list(notebook: Notebook, folder: Path) -> bytes:
    return json.dumps(notebook).encode().replace(b'"cells":', b'"deep": ' + b"[" * 10**6 + b', "cells":', 1)


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def deep_objects_that_are_closed(notebook: Notebook, folder: Path) -> bytes:
    deep = b'{"a":' * 50_000 + b"1" + b"}" * 50_000
    return json.dumps(notebook).encode().replace(b'"cells":', b'"deep": ' + deep + b', "cells":', 1)


@ATTACKS.worth(0, 0, "not JSON, or cut off")
def a_number_of_a_million_digits(notebook: Notebook, folder: Path) -> bytes:
    return b'{"nbformat": ' + b"9" * 10**6 + b', "cells": []}'


@ATTACKS.worth(0, 0, "it has no list of cells")
def a_notebook_of_version_3(notebook: Notebook, folder: Path) -> bytes:
    return json.dumps({"nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": notebook["cells"]}]}).encode()


@ATTACKS.worth(20, 0)
def a_notebook_of_a_version_to_come(notebook: Notebook, folder: Path) -> None:
    notebook.update(nbformat=99, nbformat_minor="x", metadata=[])


@ATTACKS.worth(0, 0, "it has no list of cells")
def cells_by_name(notebook: Notebook, folder: Path) -> None:
    notebook["cells"] = {cell["id"]: cell for cell in notebook["cells"]}


@ATTACKS.worth(0, 0, "setup cell deleted")
def the_key_cells_twice(notebook: Notebook, folder: Path) -> bytes:
    return json.dumps(notebook).encode()[:-1] + b', "cells": [null, 1, [], {}, {"cell_type": 1}]}'


@ATTACKS.worth(0, 0, "more than 2000")
def too_many_cells(notebook: Notebook, folder: Path) -> None:
    notebook["cells"] += [{}] * handin.MAX_CELLS


@ATTACKS.worth(20, 0)
def another_encoding(notebook: Notebook, folder: Path) -> bytes:
    return json.dumps(notebook).encode("utf-16")
