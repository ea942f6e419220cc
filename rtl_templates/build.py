"""The fast bench as an executable: `cd_bench` around one template, compiled once and kept by digest."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from cocotb_tools import config as cocotb_config
from cocotb_tools.runner import get_results, get_runner

from accel_models.template.spec import Template
from mappings.cache_folder import is_whole, keep, own_folder, work_folder
from mappings.errors import Fault, SpecError
from mappings.process import refuse_killed
from rtl_templates.recording import recorder
from rtl_templates.render import PACKAGES, config_package, sources
from rtl_templates.verilator import compiler, cxx_flags, default_cache, run_tool, runtime_objects, toolchain

BENCH = Path(__file__).parent / "bench"
TOP = "cd_bench"
RUNTIME = ("verilated_vpi", "verilated_dpi")


def build_bench(template: Template, top: str = TOP, cache: Path | None = None, record: bool = False) -> Path:
    """The executable for a template's hardware; two processes that need it at once both get a whole one.

    Args:
        template: memory and clock do not matter.
        top: `cd_bench`, whose memory is in the bench, or `cd_protocol`, whose AXI ports Python drives.
        cache: folder; None: the environment's or the user's.
        record: a run writes what goes into and out of the accelerator (:mod:`rtl_templates.recording`).

    Raises:
        SpecError: a tool is missing, or the sources do not compile.
    """
    binary, root = toolchain()
    cache = cache or default_cache()
    own_folder(cache)
    package = config_package(template)
    checkers = ("cd_axi_checker", "cd_axil_checker", "cd_token_checker", "cd_bind")
    bench = [*(BENCH / f"{name}.sv" for name in (*checkers, top))]
    control, own_code = BENCH / f"{top}.vlt", []
    if top == TOP:
        bench.insert(0, BENCH / "cd_dram.sv")
        own_code.append(BENCH / "cd_memory.cpp")
    flags = ["--cc", "--prefix", "Vtop", "-O3", "--vpi", "--no-timing"]
    # What nobody has written is 0 unless a run asks for noise (:func:`run_bench`).
    flags += ["--x-assign", "unique", "--x-initial", "unique"]
    flags += ["--assert", "-Wall", "--top-module", top]
    recording = recorder(template.axi_bits) if record else ""
    if record:
        bench.append(BENCH / "cd_record.sv")
    key = hashlib.sha256(
        repr((package + recording, str(root), flags, compiler(), cxx_flags(root), sys.version)).encode()
    )
    for path in [*sources(), *bench, control, *own_code]:
        key.update(path.read_bytes())
    folder = cache / f"{top}-{key.hexdigest()[:20]}"
    if is_whole(folder / top):
        return folder / top
    with work_folder(cache, folder.name) as work:
        (work / PACKAGES[1]).write_text(package, encoding="utf-8")
        types, *modules = sources()
        files = [control, types, work / PACKAGES[1], *modules, *bench]
        if record:
            files.append(work / "cd_record_bind.sv")
            files[-1].write_text(recording, encoding="utf-8")
        command = [str(binary), *flags, "-Mdir", str(work), *(str(path) for path in files)]
        run_tool(command, top, {"VERILATOR_ROOT": str(root)})
        unit = work / "unit.cpp"
        main = cocotb_config.share_dir / "lib" / "verilator" / "verilator.cpp"
        parts = [main, *own_code, *sorted(work.glob("Vtop*.cpp"))]
        unit.write_text("".join(f'#include "{part}"\n' for part in parts), encoding="utf-8")
        libs = cocotb_config.libs_dir
        link = [compiler(), *cxx_flags(root), f"-I{work}", str(unit), *runtime_objects(cache, root, RUNTIME)]
        link += [f"-Wl,-rpath,{libs}", f"-L{libs}", "-lcocotbvpi_verilator", "-pthread", "-o", str(work / "run")]
        run_tool(link, top)
        folder.mkdir(exist_ok=True)
        keep(work / "run", folder / top)
    return folder / top


def run_bench(
    executable: Path, folder: Path, test_module: str = "rtl_templates.bench.run_jobs", noise: int | None = None
) -> str:
    """Run the cocotb tests of a module in a folder; returns what the simulator printed.

    Args:
        noise: seed of what registers and memories hold before anything is written to them; None: zeros.

    Raises:
        SpecError: the simulator or the cocotb test failed.
    """
    runner = get_runner("verilator")
    log = folder / "run.log"
    environment = {"CODESIGN_JOB_DIR": str(folder), "COCOTB_LOG_LEVEL": "WARNING"}
    plus = [] if noise is None else ["+verilator+rand+reset+2", f"+verilator+seed+{noise}"]
    failed: BaseException | None = None
    try:
        results = runner.test(
            test_module=test_module,
            hdl_toplevel=executable.name,
            hdl_toplevel_lang="verilog",
            build_dir=executable.parent,
            test_dir=folder,
            results_xml=str(folder / "results.xml"),
            plusargs=plus,
            extra_env=environment,
            log_file=log,
        )
        tests, failures = get_results(Path(results))
        if failures or not tests:
            failed = RuntimeError(f"{failures} of {tests} cocotb tests failed")
    except (Exception, SystemExit) as error:
        failed = error
    text = log.read_text(encoding="utf-8", errors="replace") if log.exists() else ""
    if failed is not None:
        refuse_killed("simulation", None, str(failed))
        raise SpecError(Fault("simulation", f"failed ({failed}): {text[-1500:]}"))
    return text
