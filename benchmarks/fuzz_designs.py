"""Fuzzing of designs, accelerators and dataflows in YAML."""

from __future__ import annotations

import math

from accel_models.cost import cost
from accel_models.design import Design
from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.accelerators import accelerator
from accel_models.report import CostReport, Infeasible, LayerCost
from accel_models.reuse.evaluate import evaluate
from benchmarks.fuzzing import InputKind
from mappings.dataflow import LIBRARY, Dataflow, dataflow
from mappings.layer import Bits, Layer, Op
from mappings.workload import TensorShape, Workload
from mappings.yamlio import dump_yaml, load_yaml_text

_LAYERS = (
    Layer("conv", Op.CONV, K=6, C=3, P=7, Q=9, R=3, S=3, stride=(2, 1), padding=(1, 1, 1, 1), inputs=("x",)),
    Layer("dw", Op.CONV, groups=6, P=7, Q=9, R=3, S=3, padding=(1, 1, 1, 1), inputs=("conv",)),
    Layer("up", Op.TRCONV, K=4, C=6, P=14, Q=18, R=4, S=4, stride=(2, 2), padding=(1, 1, 1, 1), inputs=("dw",)),
    Layer("pool", Op.MAXPOOL, groups=4, P=7, Q=9, R=2, S=2, stride=(2, 2), inputs=("up",)),
    Layer("fc", Op.LINEAR, K=10, C=252, bits=Bits(8, 4, 8, 32), inputs=("pool",)),
)
_PROBE = _LAYERS[0]


def _design(name: str, flow: str) -> bytes:
    on = accelerator(name)
    pairs = tuple((layer.name, dataflow(flow).instantiate(layer, on)) for layer in _LAYERS)
    workload = Workload("net", (TensorShape("x", C=3, H=13, W=9),), _LAYERS)
    return dump_yaml(Design(workload, on, pairs).to_dict()).encode()


def _text(data: bytes) -> str:
    return data.decode("utf-8", errors="replace")


def unsound(found: LayerCost | Infeasible) -> str:
    """What no figure of a layer may be, or ""."""
    if isinstance(found, Infeasible):
        return "" if found.demand > found.bound >= 0 and found.remedy else f"infeasible without a reason: {found}"
    figures = [float(found.cycles), float(found.compute_cycles), found.utilisation]
    figures += [float(item[-1]) for rows in (found.traffic_bytes, found.peak_bytes, found.port_cycles) for item in rows]
    figures += [value for _, value in found.energy_pj or ()]
    if any(not math.isfinite(value) or value < 0 for value in figures):
        return f"a figure that is not finite or negative: {found}"
    if not 0 < found.utilisation <= 1 or found.cycles < found.compute_cycles:
        return f"more work than the array can do: {found}"
    return ""


def _use_design(data: bytes) -> str:
    report = cost(Design.from_dict(load_yaml_text(_text(data), "design.yaml")))
    parts = report.layers if isinstance(report, CostReport) else report
    return next((text for part in parts if (text := unsound(part))), "")


def _use_accelerator(data: bytes) -> str:
    on = Accelerator.from_dict(load_yaml_text(_text(data), "accelerator.yaml"))
    return unsound(evaluate(_PROBE, dataflow("weight_stationary").instantiate(_PROBE, on), on))


def _use_dataflow(data: bytes) -> str:
    flow = Dataflow.from_dict(load_yaml_text(_text(data), "dataflow.yaml"))
    on = accelerator("ca1")
    return unsound(evaluate(_PROBE, flow.instantiate(_PROBE, on), on))


DESIGN = InputKind(
    "design", (_design("ca1", "weight_stationary"), _design("gemmini_like", "row_stationary")), _use_design
)
ACCELERATOR = InputKind(
    "accelerator",
    tuple(dump_yaml(accelerator(name).to_dict()).encode() for name in ("eyeriss_like", "nvdla_like")),
    _use_accelerator,
)
DATAFLOW = InputKind("dataflow", tuple(path.read_bytes() for path in sorted(LIBRARY.glob("*.yaml"))), _use_dataflow)
