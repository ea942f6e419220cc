"""The page of a run: finished, stopped, or at work in another process."""

from __future__ import annotations

from pathlib import Path

from jinja2 import TemplateRuntimeError

from codesign.explorer.folder import RunFolder
from codesign.explorer.result import read_result
from codesign.explorer.standing import standing
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


def report(run: str | Path, storage: str | None = None) -> Path:
    """Make ``report.html`` of a run anew; returns its path.

    A search that is not finished is shown as its study stands: the front that it has found, before deployment. Where
    none of its designs is within its bounds, those that are nearest are shown.

    Args:
        run: its folder.
        storage: URL of the study of a search that is not finished, where that is not in the folder.

    Raises:
        SpecError: no run there, no design yet, or its result file lacks what the page shows.
    """
    folder = RunFolder(Path(run))
    if storage is not None and folder.result_file.exists():
        raise SpecError(Fault("--storage", f"changes nothing: {run} is finished, its result is in the folder"))
    if not folder.run_file.exists():
        raise SpecError(Fault(str(folder.path), "holds no run", "a folder that codesign explore made"))
    result = read_result(folder) if folder.result_file.exists() else standing(folder, storage).to_dict()
    try:
        write_page(result, folder.report_html)
    except _NOT_A_RESULT as error:
        what = f"is not the result of a run: {type(error).__name__} {error}"
        raise SpecError(Fault(str(folder.result_file), what, "what codesign explore writes")) from None
    return folder.report_html
