"""Whether a network's integers are those that its layers need, before any of them is encoded."""

from __future__ import annotations

from collections.abc import Iterator

from mappings.errors import Fault, SpecError
from mappings.layer import Layer
from mappings.operators import Layout, Rescale, Unit
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork

MAX_SHIFT = 62  #: of a rescaling (:func:`mappings.quantized.rescale`)
MULT_BITS, ADD_MULT_BITS = 31, 24


def check_numbers(network: QuantizedNetwork) -> None:
    """Refuse a network whose integers are missing or out of their bounds.

    Raises:
        SpecError: all of them at once.
    """
    faults: list[Fault] = []
    for layer in network.workload.layers:
        numbers = network.layers.get(layer.name)
        if numbers is None:
            faults.append(Fault(f"layer {layer.name}", "has no integer parameters"))
        else:
            faults += _faults(layer, numbers)
    if faults:
        raise SpecError(faults)


def _faults(layer: Layer, numbers: QuantizedLayer) -> Iterator[Fault]:
    where, spec = f"layer {layer.name}", layer.op.spec
    if spec.layout is Layout.STORED:
        return
    low, high = -(1 << (layer.bits.O - 1)), (1 << (layer.bits.O - 1)) - 1
    if not low <= numbers.low <= numbers.high <= high:
        yield Fault(f"{where}: low, high", f"are {numbers.low}, {numbers.high}", f"{low} to {high}")
    if spec.weighted:
        shape = (layer.channels_out, layer.C, layer.R, layer.S)
        if numbers.weight is None or numbers.weight.shape != shape:
            found = None if numbers.weight is None else numbers.weight.shape
            yield Fault(f"{where}.weight", f"has shape {found}", str(shape))
        elif not _within(numbers.weight, -(1 << (layer.bits.W - 1)), 1 << (layer.bits.W - 1)):
            yield Fault(f"{where}.weight", f"does not fit {layer.bits.W} bits")
    over_rows = spec.unit is Unit.NONLINEAR
    scaled = spec.rescale in (Rescale.CHANNEL, Rescale.ONE) or _is_gelu(layer)
    added = spec.rescale is Rescale.OPERANDS
    if scaled and numbers.mult is None:
        yield Fault(where, "needs mult and shift")
    if scaled and numbers.mult is not None and not _within(numbers.mult, 1, 1 << MULT_BITS):
        yield Fault(f"{where}.mult", "has values out of range", f"positive, below 2^{MULT_BITS}")
    if added and (numbers.add_mult is None or not all(0 < mult < 1 << ADD_MULT_BITS for mult in numbers.add_mult)):
        yield Fault(f"{where}.add_mult", f"is {numbers.add_mult}", f"two, positive, below 2^{ADD_MULT_BITS}")
    if scaled or added or over_rows:
        if numbers.shift is None:
            yield Fault(where, "needs a shift")
        elif not _within(numbers.shift, 0, MAX_SHIFT + 1):
            yield Fault(f"{where}.shift", "has values out of range", f"0 to {MAX_SHIFT}")
    for name in _constants(layer):
        if name not in numbers.constants:
            yield Fault(f"{where}.constants", f'"{name}" is missing')


def _constants(layer: Layer) -> tuple[str, ...]:
    """Constants without which an operator has no definition (:mod:`mappings.integer_ops`)."""
    spec = layer.op.spec
    if spec.unit is Unit.NONLINEAR and spec.channel_values:
        return "gain", "bias", "epsilon"
    if spec.unit is Unit.NONLINEAR or _is_gelu(layer):
        return "arg_mult", "arg_shift"
    return ()


def _is_gelu(layer: Layer) -> bool:
    return layer.op.spec.function and layer.activation == "gelu"


def _within(values: IntArray, low: int, end: int) -> bool:
    return bool(low <= values.min() and values.max() < end)
