"""The page of a finished run."""

from __future__ import annotations

from pathlib import Path

from jinja2 import TemplateRuntimeError

from codesign.explorer.folder import RunFolder
from codesign.explorer.result import read_result
from codesign.reports.page import write_page
from mappings.errors import Fault, SpecError

#: What the page's look-ups and sums raise where a key is missing or a value is of another kind.
_NOT_A_RESULT = (
    LookupError,
    TypeError,
    ValueError,
    AttributeError,
    ArithmeticError,
    StopIteration,
    TemplateRuntimeError,
)


def report(run: str) -> Path:
    """Make ``report.html`` of a run anew; returns its path.

    Raises:
        SpecError: no finished run there, or its result file lacks what the page shows.
    """
    folder = RunFolder(Path(run))
    result = read_result(folder)
    try:
        write_page(result, folder.report_html)
    except _NOT_A_RESULT as error:
        what = f"is not the result of a run: {type(error).__name__} {error}"
        raise SpecError(Fault(str(folder.result_file), what, "what codesign explore writes")) from None
    return folder.report_html
