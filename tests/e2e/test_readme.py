"""The README's code blocks run, in order, in one folder."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from codesign.cli.parser import build_parser

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(command: list[str], folder: Path) -> str:
    """Standard output of a command that must succeed."""
    paths = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": paths}, check=False
    )
    assert done.returncode == 0, f"{shlex.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def test_blocks_run(tmp_path: Path) -> None:
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"sh", "python", "text", "yaml"}
    commands = 0
    for kind, text in blocks:
        named = re.match(r"# (\w+\.(?:py|yaml))\n", text)
        if named:
            (tmp_path / named[1]).write_text(text, encoding="utf-8")
        elif kind == "text":  # commands that take long: they are read, not run
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                assert words[0] == "codesign" and build_parser().parse_args(words[1:])
        elif kind == "python":
            assert run([sys.executable, "-c", text], tmp_path).strip()
        else:
            assert kind == "sh", f"a {kind} block without a file name"
            for line in text.splitlines():
                words = shlex.split(line, comments=True)
                if words[0] == "make":  # these run the tests themselves: that make knows them is checked
                    run(["make", "-n", *words[1:]], ROOT)
                else:
                    assert words[0] == "codesign"
                    assert run([sys.executable, "-m", "codesign", *words[1:]], tmp_path).strip()
                    commands += 1
    assert commands >= 5
    assert (tmp_path / "runs/mine/report.html").stat().st_size > 10_000
