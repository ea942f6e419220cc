"""Makes the constraints files anew: every package that `make setup` installs, by version and hash.

    python .ci/lock.py [--upgrade]

Versions stay as they are unless pyproject.toml asks for others; --upgrade takes the newest that it allows. One
resolution holds for Python 3.11 to 3.13 on every platform. torch stands apart: the package index's build for Linux
brings gigabytes of CUDA libraries (constraints-torch.txt), its CPU build none (constraints-torch-cpu.txt). The CPU
build comes from wherever pip is pointed to, so its hash is that of the file that pip finds on this machine; where it
finds none, the file stays.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / ".ci" / "lock-tool.txt"
MAIN, TORCH, TORCH_CPU = (ROOT / f"constraints{part}.txt" for part in ("", "-torch", "-torch-cpu"))
OLDEST_PYTHON = "3.11"
HEADERS = {
    MAIN: "# All that `make setup` installs but torch, by version and hash; made by `make lock`, not by hand.\n",
    TORCH: "# The package index's torch and, on Linux, its CUDA libraries; made by `make lock`, not by hand.\n",
    TORCH_CPU: "# torch's CPU build (x86-64 Linux, CPython 3.11); made by `make lock`, not by hand.\n",
}
_WITH_TORCH = re.compile(r"(nvidia|cuda)-|(torch|triton)==")


def entries(text: str) -> list[str]:
    """The requirements of a lock file, each with its lines of hashes."""
    kept = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[str] = []
    for line in kept:
        if line[0].isspace():
            found[-1] += f"\n    {line.strip()}"
        else:
            found.append(line)
    return found


def resolve(folder: Path, upgrade: bool) -> list[str]:
    """What uv resolves pyproject.toml to, build backend included."""
    venv.create(folder / "tool", with_pip=True)
    python = folder / "tool" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", "--require-hashes", "-r", TOOL], check=True)
    build = folder / "build.in"
    build.write_text("setuptools\n", encoding="utf-8")
    out = folder / "lock.txt"
    if not upgrade:  # versions in the output file are preferred
        out.write_text("\n".join(path.read_text(encoding="utf-8") for path in (MAIN, TORCH) if path.exists()))
    command = [python, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--generate-hashes", "--all-extras"]
    command += ["--python-version", OLDEST_PYTHON, "--no-header", "--no-annotate", "--no-emit-index-url"]
    subprocess.run([*command, "-o", out, ROOT / "pyproject.toml", build], check=True, cwd=folder)
    return entries(out.read_text(encoding="utf-8"))


def cpu_build(version: str) -> str | None:
    """The requirement of torch's CPU build as pip finds it on this machine; None where it finds none."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed", "--no-deps"]
    command += ["--report", "-", f"torch=={version}+cpu"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        return None
    (item,) = json.loads(done.stdout)["install"]
    archive = item["download_info"]["archive_info"]
    digest = archive["hashes"]["sha256"] if "hashes" in archive else archive["hash"].removeprefix("sha256=")
    return f"torch=={version}+cpu \\\n    --hash=sha256:{digest}"


def write(path: Path, chosen: list[str]) -> None:
    """One file."""
    path.write_text(HEADERS[path] + "\n".join(chosen) + "\n", encoding="utf-8")
    print(f"{path.name}: {len(chosen)} packages")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions that pyproject.toml allows")
    upgrade: bool = parser.parse_args().upgrade
    with tempfile.TemporaryDirectory(prefix="codesign-lock-") as folder:
        found = resolve(Path(folder), upgrade)
    write(MAIN, [entry for entry in found if not _WITH_TORCH.match(entry)])
    write(TORCH, [entry for entry in found if _WITH_TORCH.match(entry)])
    version = next(entry.split()[0].split("==")[1] for entry in found if entry.startswith("torch=="))
    cpu = cpu_build(version)
    if cpu:
        write(TORCH_CPU, [cpu])
    elif not TORCH_CPU.exists() or f"torch=={version}+cpu " not in TORCH_CPU.read_text(encoding="utf-8"):
        print(f"{TORCH_CPU.name}: pip finds no CPU build of torch {version} here; make lock where it does")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
