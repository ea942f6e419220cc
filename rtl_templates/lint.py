"""``python -m rtl_templates.lint``: every SystemVerilog file, alone and as top, clean under ``verilator -Wall``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from mappings.errors import SpecError
from rtl_templates.render import PACKAGES, RTL
from rtl_templates.verilator import toolchain

BENCH = Path(__file__).parent / "bench"


def lint_file(path: Path) -> str:
    """Warnings and errors of one file with its default parameters; "" when clean.

    The packages that it names come first, the modules that it instantiates are found beside it. The generated package
    holds nothing but parameters and is linted with the top that uses them.
    """
    binary, root = toolchain()
    text = path.read_text(encoding="utf-8")
    packages = [RTL / name for name in PACKAGES if name != path.name and name.removesuffix(".sv") in text]
    if path.name == PACKAGES[1]:
        packages, path = [path], RTL / "cd_top.sv"
    if RTL / PACKAGES[0] not in packages and path.name != PACKAGES[0]:
        packages.insert(0, RTL / PACKAGES[0])
    command = [str(binary), "--lint-only", "-Wall", "--no-timing", "-y", str(RTL), "-y", str(BENCH)]
    command += [*(str(package) for package in packages), str(path)]
    if path.name not in PACKAGES:
        command += ["--top-module", path.stem]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env={"VERILATOR_ROOT": str(root), "PATH": "/usr/bin:/bin"}
    )
    lines = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith("- ")]
    return "\n".join(lines) if done.returncode or lines else ""


def sources() -> list[Path]:
    """All SystemVerilog files of the project; `cd_bind.sv` holds no module."""
    return sorted(path for path in [*RTL.glob("*.sv"), *BENCH.glob("*.sv")] if path.name != "cd_bind.sv")


def main() -> int:
    """Lint all files; the exit status is 1 where one is not clean."""
    try:
        found = {path: lint_file(path) for path in sources()}
    except SpecError as error:
        print(error, file=sys.stderr)
        return 1
    for path, text in found.items():
        if text:
            print(f"{path.name}:\n{text}")
    dirty = sum(1 for text in found.values() if text)
    print(f"verilator --lint-only -Wall: {len(found) - dirty} of {len(found)} files clean")
    return int(dirty > 0)


if __name__ == "__main__":
    sys.exit(main())
