"""The page of a run: finished, stopped, or at work in another process."""

from __future__ import annotations

from pathlib import Path

from codesign.explorer.folder import RunFolder
from codesign.explorer.result import read_result
from codesign.explorer.standing import standing
from codesign.reports.page import write_page


def report(run: str, storage: str | None = None) -> Path:
    """Make ``report.html`` of a run anew; returns its path.

    A search that is not finished is shown as its study stands: the front that it has found, before deployment.

    Args:
        run: its folder.
        storage: URL of the study of a search that is not finished, where that is not in the folder.

    Raises:
        SpecError: no run there, or none of its designs is within its bounds yet.
    """
    folder = RunFolder(Path(run))
    result = read_result(folder) if folder.result_file.exists() else standing(folder, storage).to_dict()
    write_page(result, folder.report_html)
    return folder.report_html
