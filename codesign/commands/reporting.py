"""The page of a finished run."""

from __future__ import annotations

from pathlib import Path

from codesign.explorer.folder import RunFolder
from codesign.explorer.result import read_result
from codesign.reports.page import write_page


def report(run: str) -> Path:
    """Make ``report.html`` of a run anew; returns its path.

    Raises:
        SpecError: no finished run there.
    """
    folder = RunFolder(Path(run))
    write_page(read_result(folder), folder.report_html)
    return folder.report_html
