"""Fuzzing of the files of runs and networks: weights and their graph, run.yaml, result.json, designs, devices."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from accel_models.hardware import devices
from accel_models.hardware.devices import DEFAULT_DEVICE, load_device
from accel_models.template.spec import Template
from benchmarks.fuzz_designs import DESIGN
from benchmarks.fuzzing import InputKind
from codesign.commands.reporting import report
from codesign.design_file import DesignFile
from codesign.explorer.finished import read_record, write_record
from codesign.explorer.folder import RunFolder, RunRecord
from codesign.objectives import METRICS
from codesign.recipe import load_recipe, parse_recipe
from mappings.errors import Fault, SpecError
from mappings.integer_run import run_network
from mappings.layer import Bits, Layer, Op
from mappings.network_io import load_network, save_network
from mappings.npz import read_integer_arrays
from mappings.quantized import QuantizedLayer, QuantizedNetwork
from mappings.workload import TensorShape, Workload
from mappings.yamlio import dump_yaml, load_yaml

_SCRATCH = tempfile.TemporaryDirectory(prefix="codesign-fuzz-")
_FOLDER = Path(_SCRATCH.name)


def _file(name: str, data: bytes) -> Path:
    path = _FOLDER / name
    path.write_bytes(data)
    return path


def _network() -> QuantizedNetwork:
    layer = Layer("fc", Op.LINEAR, K=2, C=3, bits=Bits(), inputs=("x",))
    weight = np.array([[1, -2, 3], [127, -127, 0]], dtype=np.int64).reshape(2, 3, 1, 1)
    one = np.array([1 << 30, 1 << 30])
    parts = QuantizedLayer(-128, 127, 0.1, weight, np.array([100_000, -3]), one, np.array([30, 31]))
    return QuantizedNetwork(Workload("small", (TensorShape("x", C=3),), (layer,)), {"fc": parts}, {"x": 0.5})


def _saved() -> tuple[bytes, bytes]:
    yaml_path, npz_path = save_network(_network(), _FOLDER / "seed")
    return yaml_path.read_bytes(), npz_path.read_bytes()


def _stored() -> bytes:
    file = io.BytesIO()
    np.savez(file, a=np.arange(6, dtype=np.int16).reshape(2, 3), b=np.asfortranarray(np.ones((3, 2), np.int8)))
    return file.getvalue()


_GRAPH, _WEIGHTS = _saved()


def _use_archive(data: bytes) -> str:
    arrays = read_integer_arrays(_file("archive.npz", data))
    wrong = [name for name, array in arrays.items() if array.dtype != np.int64 or not array.flags.c_contiguous]
    return f"not plain integers: {wrong}" if wrong else ""


def _use_array(data: bytes) -> str:
    """The array alone is corrupted: the archive around it is whole, so that its checksum tells nothing."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.npy", data)
    return _use_archive(file.getvalue())


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(12, dtype=np.int16).reshape(3, 4))
    return file.getvalue()


def _use_network(graph: bytes, weights: bytes) -> str:
    _file("net.yaml", graph)
    _file("net.npz", weights)
    network = load_network(_FOLDER / "net")
    values = run_network(network, {"x": np.array([5, 6, 7]).reshape(1, 3, 1, 1)})
    return "" if values["fc"].reshape(-1).tolist() == [127, -65] else "runs to something else"


def _use_record(data: bytes) -> str:
    found = read_record(_file("net.accuracy.json", data))
    if found is None:  # one line told that it is made again: the run's way to refuse it
        raise SpecError(Fault("net.accuracy.json", "is not whole", "the record as it was written"))
    return "" if found == _ACCURACIES else f"a damaged record is believed: {found}"


_ACCURACIES = {"held_out": 0.91, "test": 0.9}


def _record_seed() -> bytes:
    path = _FOLDER / "seed.accuracy.json"
    write_record(path, _ACCURACIES, [])
    return path.read_bytes()


def _run_seed() -> bytes:
    folder = RunFolder(_FOLDER / "seed-run")
    folder.path.mkdir(exist_ok=True)
    folder.write_run(RunRecord(load_recipe("random"), "0" * 32))
    return folder.run_file.read_bytes()


def _use_run(data: bytes) -> str:
    folder = RunFolder(_FOLDER / "run")
    folder.path.mkdir(exist_ok=True)
    folder.run_file.write_bytes(data)
    folder.read_run()
    return ""


def _use_recipe(data: bytes) -> str:
    parse_recipe(load_yaml(_file("recipe.yaml", data)), "recipe.yaml")
    return ""


def _result(name: str = "point_00") -> dict[str, Any]:
    """The least result that the page shows: one design of one layer, verified."""
    part = {"name": "conv", "op": "conv", "cycles": 90, "macs": 700, "utilisation": 0.5, "energy_pj": {"MAC": 7.5}}
    part |= {"bound_by": "compute", "account_cycles": {"compute": 60.0, "DRAM": 30.0}}
    check = {"name": "conv", "predicted_cycles": 90, "simulated_cycles": 90, "images": 2}
    point = {
        "name": name,
        "accuracy": {"held_out": 0.9, "test": 0.91, "search": 0.8},
        "latency_ms": 0.1,
        "latency_cycles": 90,
        "energy_uj": 3.5,
        "macs": 700,
        "decisions": {"array": "systolic", "rows": 4, "cols": 4, "clock_mhz": 100, "weight_bits": 8, "act_bits": 8}
        | {f"{buffer}_buffer_kib": 4 for buffer in ("input", "weight", "acc", "output")},
        "metrics": {"accuracy": 0.9, "latency_ms": 0.1, "energy_uj": 3.5},
        "hardware": Template().to_dict(),
        "resources": {"DSP": 9, "BRAM36": 4, "LUT": 1000},
        "layers": [part],
    }
    verified = {"point": name, "passed": True, "images": 2, "right": 2, "exact_images": 2, "predicted_cycles": 90}
    verified |= {"simulated_cycles": 90, "hls_exact_images": 2, "hls_s": 0.5, "compile_s": 1.0, "run_s": 0.5}
    recipe = load_recipe("random")
    return {
        "recipe": recipe.to_dict(),
        "metrics": {name: asdict(METRICS.get(name)) for name in recipe.objectives},
        "device": {"name": "zcu", "title": "a part"},
        "budget": {"DSP": 90},
        "folder": "runs/x",
        "networks": 10,
        "accelerators": 20,
        "tally": {"told": 5, "infeasible": 1, "trained": 2, "spared": 0, "bounds": {"DSP": 1}},
        "points": [point],
        "knee": name,
        "cloud": [[True, [0.8, 0.1, 3.5]], [False, [None, 0.1, 3.5]]],
        "verifications": [{**verified, "layers": [check]}],
        "seconds": 1.5,
        "cpu_seconds": 2.5,
        "finished": True,
    }


def _use_result(data: bytes) -> str:
    folder = RunFolder(_FOLDER / "done")
    folder.path.mkdir(exist_ok=True)
    folder.run_file.touch()  # read where a search is not finished alone
    folder.result_file.write_bytes(data)
    return "" if report(str(folder.path)).read_text(encoding="utf-8").rstrip().endswith("</html>") else "half a page"


def _use_design_file(data: bytes) -> str:
    DesignFile.load(_file("point.yaml", data))
    return ""


def _design_file() -> bytes:
    document = {"name": "point_00", "network": "", "dataset": "mnist5k", "accuracy": {"test": 0.9}}
    design = load_yaml(_file("seed.yaml", DESIGN.seeds[0]))
    return dump_yaml(document | {"decisions": {"rows": 4}, "design": design}).encode()


def _use_device(data: bytes) -> str:
    load_device(_file("device.yaml", data))
    return ""


def _device() -> bytes:
    return dump_yaml(load_yaml(Path(devices.__file__).parent / "data" / "devices.yaml")[DEFAULT_DEVICE]).encode()


FILES = (
    InputKind("npz archive", (_WEIGHTS, _stored()), _use_archive),
    InputKind("array in an archive", (_array(),), _use_array),
    InputKind("weights of a network", (_WEIGHTS,), lambda data: _use_network(_GRAPH, data)),
    InputKind("graph of a network", (_GRAPH,), lambda data: _use_network(data, _WEIGHTS), sealed=True),
    InputKind("record of accuracies", (_record_seed(),), _use_record, sealed=True),
    InputKind("run.yaml", (_run_seed(),), _use_run),
    InputKind("recipe", (dump_yaml(load_recipe("default").to_dict()).encode(),), _use_recipe),
    InputKind("result.json", (json.dumps(_result(), indent=1).encode(),), _use_result),
    InputKind("design file", (_design_file(),), _use_design_file),
    InputKind("device", (_device(),), _use_device),
)
