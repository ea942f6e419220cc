"""The code of docs/cost-model.md runs."""

import re
from pathlib import Path

import pytest

TEXT = (Path(__file__).parents[2] / "docs" / "cost-model.md").read_text(encoding="utf-8")


def test_blocks_run(capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    assert blocks
    for block in blocks:
        exec(compile(block, "docs/cost-model.md", "exec"), {})
    assert "compute" in capsys.readouterr().out
