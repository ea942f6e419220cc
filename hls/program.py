"""A quantised network as steps of the engine, with the memory image that they read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from accel_models.template.spec import Template
from hls.layout import ALIGN_BYTES, ImageBuilder, TensorPlace, pack_elements, storage_bits, weight_storage_bits
from hls.tiling import BufferWords, Tiling, choose, fits
from mappings.errors import Fault, SpecError
from mappings.layer import Layer, Op
from mappings.operators import Layout
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork

#: Of a rescaling (see :func:`mappings.quantized.rescale`).
MAX_SHIFT = 62


@dataclass(frozen=True)
class Step:
    """One ``cd::Layer``: the fields of ``cd_layer.h``, in its order."""

    op: str
    id: int
    in0: int
    in1: int
    out: int
    G: int = 1
    K: int = 1
    C: int = 1
    P: int = 1
    Q: int = 1
    R: int = 1
    S: int = 1
    stride_h: int = 1
    stride_w: int = 1
    dilation_h: int = 1
    dilation_w: int = 1
    pad_top: int = 0
    pad_left: int = 0
    up_h: int = 1
    up_w: int = 1
    tile_k: int = 1
    tile_c: int = 1
    tile_p: int = 1
    tile_q: int = 1
    tile_r: int = 1
    weight_bits: int = 8
    transpose_b: int = 0
    weights: int = -1
    params: int = -1
    low: int = 0
    high: int = 0
    mult: int = 1
    mult_b: int = 1
    shift: int = 0
    arg_mult: int = 0
    arg_shift: int = 0
    epsilon: int = 0
    at_channel: int = 0
    at_row: int = 0
    at_col: int = 0


@dataclass(frozen=True, eq=False)
class Program:
    """Everything that is generated for one network.

    Attributes:
        tensors: by name, in the order of their indices.
        input_bytes: the inputs come first in memory.
        tensor_bytes: inputs and layer outputs; what follows is constant.
        image: the constant part.
    """

    words: BufferWords
    tensors: dict[str, TensorPlace]
    steps: tuple[Step, ...]
    input_bytes: int
    tensor_bytes: int
    image: bytes


class _Lowering:
    """State of :func:`lower`."""

    def __init__(self, network: QuantizedNetwork, template: Template, tiles: Mapping[str, Tiling]) -> None:
        self.network, self.template, self.tiles = network, template, tiles
        self.words = BufferWords.of(template)
        self.tensors: dict[str, TensorPlace] = {}
        self.steps: list[Step] = []
        offset = 0
        workload = network.workload
        for tensor in workload.inputs:
            if tensor.N != 1:
                raise SpecError(Fault(f"input {tensor.name}.N", f"is {tensor.N}", "1: the engine runs image by image"))
            offset = self._place(tensor.name, offset, tensor.bits, (tensor.C, tensor.H, tensor.W))
        self.input_bytes = offset
        for layer in workload.layers:
            if layer.N != 1:
                raise SpecError(Fault(f"layer {layer.name}.N", f"is {layer.N}", "1: the engine runs image by image"))
            if layer.op.spec.layout is not Layout.STORED:
                offset = self._place(layer.name, offset, layer.bits.O, _output_shape(layer))
        self.tensor_bytes = offset
        self.image = ImageBuilder(offset)
        for layer in workload.layers:
            if layer.op.spec.layout is Layout.STORED:
                self._store_constant(layer)
        self.index = {name: i for i, name in enumerate(self.tensors)}

    def _place(self, name: str, offset: int, bits: int, shape: tuple[int, int, int]) -> int:
        place = TensorPlace(offset, storage_bits(bits), *shape, lanes=self.words.lanes)
        self.tensors[name] = place
        return offset + -(-place.size_bytes // ALIGN_BYTES) * ALIGN_BYTES

    def _store_constant(self, layer: Layer) -> None:
        shape = _output_shape(layer)
        place = TensorPlace(0, storage_bits(layer.bits.O), *shape, lanes=self.words.lanes)
        value = self.parameters(layer).constants["value"].reshape(shape)
        self.tensors[layer.name] = replace(place, offset=self.image.add(place.pack(value)))

    def parameters(self, layer: Layer) -> QuantizedLayer:
        found = self.network.layers.get(layer.name)
        if found is None:
            raise SpecError(Fault(f"layer {layer.name}", "has no integer parameters"))
        return found

    def base(self, layer: Layer, number: int, op: str) -> Step:
        """A step with the fields that every operator has."""
        quantized = self.parameters(layer)
        low, high = -(1 << (layer.bits.O - 1)), (1 << (layer.bits.O - 1)) - 1
        if not low <= quantized.low <= quantized.high <= high:
            where = f"layer {layer.name}: low, high"
            raise SpecError(Fault(where, f"are {quantized.low}, {quantized.high}", f"{low} to {high}"))
        sources = [self.index[name] for name in layer.inputs]
        return Step(
            op,
            number,
            sources[0],
            sources[1] if len(sources) > 1 else sources[0],
            self.index[layer.name],
            *(layer.groups, layer.K, layer.C, layer.P, layer.Q, layer.R, layer.S),
            *layer.stride,
            *layer.dilation,
            *layer.padding[:2],
            low=quantized.low,
            high=quantized.high,
        )

    def lower(self, number: int, layer: Layer) -> None:
        match layer.op:
            case Op.CONSTANT:
                return
            case Op.CONV | Op.LINEAR | Op.TRCONV | Op.MATMUL:
                self.steps.append(self._mac(number, layer))
            case Op.MAXPOOL | Op.AVGPOOL:
                step = self.base(layer, number, "MaxPool" if layer.op is Op.MAXPOOL else "AvgPool")
                self.steps.append(step if layer.op is Op.MAXPOOL else self._scaled(layer, step))
            case Op.ADD:
                quantized = self.parameters(layer)
                if quantized.add_mult is None or quantized.shift is None:
                    raise SpecError(Fault(f"layer {layer.name}", "an add needs add_mult and shift"))
                mult, mult_b = (_within(layer, "add_mult", m, 24) for m in quantized.add_mult)
                step = self.base(layer, number, "Add")
                self.steps.append(replace(step, mult=mult, mult_b=mult_b, shift=_shift(layer, quantized.shift)))
            case Op.MUL:
                self.steps.append(self._scaled(layer, self.base(layer, number, "Mul")))
            case Op.CONCAT:
                self._concat(number, layer)
            case Op.RESHAPE:
                index = self.parameters(layer).constants.get("index")
                step = self.base(layer, number, "Gather")
                if index is not None:
                    step = replace(step, params=self.image.add(index.reshape(-1).astype("<i4").tobytes()))
                self.steps.append(step)
            case Op.ACT:
                self.steps.append(self._act(number, layer))
            case Op.SOFTMAX:
                self.steps.append(self._softmax(number, layer))
            case Op.LAYERNORM:
                self.steps.append(self._layernorm(number, layer))

    def _scaled(self, layer: Layer, step: Step) -> Step:
        quantized = self.parameters(layer)
        if quantized.mult is None or quantized.shift is None:
            raise SpecError(Fault(f"layer {layer.name}", "needs mult and shift"))
        return replace(
            step, mult=_within(layer, "mult", int(quantized.mult[0]), 31), shift=_shift(layer, quantized.shift)
        )

    def _mac(self, number: int, layer: Layer) -> Step:
        bits = max(self.tensors[layer.inputs[0]].bits, storage_bits(layer.bits.O))
        if bits > self.template.act_bits:
            where = f"layer {layer.name}.bits"
            raise SpecError(Fault(where, f"has activations of {bits} bits", f"up to {self.template.act_bits}"))
        depthwise = layer.is_depthwise
        step = self.base(layer, number, "Depthwise" if depthwise else "MatMul" if layer.op.spec.is_product else "Mac")
        tile = self._tile(layer)
        step = replace(step, tile_k=tile.k, tile_c=tile.c, tile_p=tile.p, tile_q=tile.q, tile_r=tile.r)
        step = replace(step, params=self._channel_params(layer), transpose_b=int(layer.transpose_b))
        if layer.op.spec.is_product:
            weight_bits = self.tensors[layer.inputs[1]].bits
        else:
            weight_bits = weight_storage_bits(layer.bits.W)
            step = replace(step, weights=self._weights(layer, depthwise), weight_bits=weight_bits)
        if weight_bits > self.template.weight_bits:
            where = f"layer {layer.name}.bits"
            raise SpecError(Fault(where, f"has weights of {weight_bits} bits", f"up to {self.template.weight_bits}"))
        if layer.op.spec.transposed:
            # The same as a convolution over an input with zeros between its pixels, with the filter turned round.
            pad = [(n - 1) * d - p for n, d, p in zip((layer.R, layer.S), layer.dilation, layer.padding, strict=False)]
            step = replace(step, stride_h=1, stride_w=1, up_h=layer.stride[0], up_w=layer.stride[1])
            step = replace(step, pad_top=pad[0], pad_left=pad[1])
        return step

    def _tile(self, layer: Layer) -> Tiling:
        given = self.tiles.get(layer.name)
        if given is None:
            return choose(layer, self.words)
        legal = given.k % self.words.cols == 0 or given.k >= layer.K
        if not legal or min(given.k, given.c, given.p, given.q, given.r) < 1 or not fits(layer, given, self.words):
            allowed = f"k by {self.words.cols}, and what the buffers hold"
            raise SpecError(Fault(f"tiles.{layer.name}", f"{given} is not legal", allowed))
        return given

    def _weights(self, layer: Layer, depthwise: bool) -> int:
        weight = self.parameters(layer).weight
        expected = (layer.groups * layer.K, layer.C, layer.R, layer.S)
        if weight is None or weight.shape != expected:
            shape = None if weight is None else weight.shape
            raise SpecError(Fault(f"layer {layer.name}.weight", f"has shape {shape}", str(expected)))
        bits = layer.bits.W
        if int(np.abs(weight).max()) >= 1 << (bits - 1):
            raise SpecError(Fault(f"layer {layer.name}.weight", f"does not fit {bits} bits"))
        if layer.op.spec.transposed:
            weight = weight[:, :, ::-1, ::-1]
        cols = self.words.cols
        # A depthwise layer's channels are its groups: they take the columns.
        groups, outputs = (1, layer.groups) if depthwise else (layer.groups, layer.K)
        blocks = -(-outputs // cols)
        padded = np.zeros((groups, blocks * cols, layer.C, layer.R, layer.S), dtype=np.int64)
        padded[:, :outputs] = weight.reshape(groups, outputs, layer.C, layer.R, layer.S)
        ordered = padded.reshape(groups, blocks, cols, layer.C, layer.R, layer.S).transpose(0, 1, 3, 4, 5, 2)
        return self.image.add(pack_elements(ordered.reshape(-1), weight_storage_bits(bits)))

    def _channel_params(self, layer: Layer) -> int:
        """Bias (8 bytes), multiplier and shift (4 each) of every output channel."""
        quantized = self.parameters(layer)
        channels = layer.channels_out
        if quantized.mult is None or quantized.shift is None:
            raise SpecError(Fault(f"layer {layer.name}", "needs mult and shift"))
        for mult in (int(quantized.mult.min()), int(quantized.mult.max())):
            _within(layer, "mult", mult, 31)
        for shift in (quantized.shift.min(), quantized.shift.max()):
            _shift(layer, np.asarray([shift]))
        table = np.zeros(channels, dtype=np.dtype([("bias", "<i8"), ("mult", "<i4"), ("shift", "<i4")]))
        table["bias"] = 0 if quantized.bias is None else quantized.bias
        table["mult"] = quantized.mult
        table["shift"] = quantized.shift
        return self.image.add(table.tobytes())

    def _concat(self, number: int, layer: Layer) -> None:
        at = {"K": 0, "P": 0, "Q": 0}
        axis = layer.axis or "K"
        for source in layer.inputs:
            place = self.tensors[source]
            step = self.base(layer, number, "Copy")
            step = replace(step, in0=self.index[source], in1=self.index[source])
            self.steps.append(replace(step, at_channel=at["K"], at_row=at["P"], at_col=at["Q"]))
            at[axis] += {"K": place.channels, "P": place.rows, "Q": place.cols}[axis]

    def _act(self, number: int, layer: Layer) -> Step:
        constants = self.parameters(layer).constants
        if layer.activation == "gelu":
            step = self._scaled(layer, self.base(layer, number, "Gelu"))
            return _with_argument(self.parameters(layer), layer, step)
        if "table" in constants:
            table = constants["table"].reshape(-1)
            bits = self.tensors[layer.inputs[0]].bits
            if table.size != (1 << min(bits, 8)) + 1:
                where = f"layer {layer.name}.constants.table"
                raise SpecError(Fault(where, f"has {table.size} entries", f"{(1 << min(bits, 8)) + 1}"))
            step = self.base(layer, number, "Table")
            return replace(step, params=self.image.add(table.astype("<i4").tobytes()))
        return self.base(layer, number, "Clamp")

    def _softmax(self, number: int, layer: Layer) -> Step:
        quantized = self.parameters(layer)
        constants = quantized.constants
        self._check_row(layer)
        if quantized.shift is None:
            raise SpecError(Fault(f"layer {layer.name}", "a softmax needs a shift"))
        step = _with_argument(quantized, layer, self.base(layer, number, "Softmax"))
        step = replace(step, shift=_shift(layer, quantized.shift))
        if "mask" in constants:
            mask = np.broadcast_to(constants["mask"], (layer.P, layer.C))
            step = replace(step, params=self.image.add((mask != 0).astype(np.uint8).tobytes()))
        return step

    def _layernorm(self, number: int, layer: Layer) -> Step:
        quantized = self.parameters(layer)
        constants = quantized.constants
        self._check_row(layer)
        if quantized.shift is None:
            raise SpecError(Fault(f"layer {layer.name}", "a layer norm needs a shift"))
        pairs = np.stack([constants["gain"], constants["bias"]], axis=1)
        return replace(
            self.base(layer, number, "LayerNorm"),
            params=self.image.add(pairs.astype("<i4").tobytes()),
            shift=_shift(layer, quantized.shift),
            epsilon=int(constants["epsilon"][0]),
        )

    def _check_row(self, layer: Layer) -> None:
        longest = row_max(self.words)
        if longest < layer.C:
            what = f"normalises over {layer.C} channels"
            raise SpecError(Fault(f"layer {layer.name}", what, f"up to {longest}, what the input buffer holds"))


def row_max(words: BufferWords) -> int:
    """Longest row of a softmax or layer norm: as many elements as the input buffer holds."""
    return words.input_words * words.lanes


def _output_shape(layer: Layer) -> tuple[int, int, int]:
    return layer.channels_out, layer.P, layer.Q


def _within(layer: Layer, what: str, value: int, bits: int) -> int:
    if not 0 < value < 1 << bits:
        raise SpecError(Fault(f"layer {layer.name}.{what}", f"is {value}", f"positive, below 2^{bits}"))
    return value


def _shift(layer: Layer, shift: IntArray) -> int:
    value = int(shift.reshape(-1)[0])
    if not 0 <= value <= MAX_SHIFT:
        raise SpecError(Fault(f"layer {layer.name}.shift", f"is {value}", f"0 to {MAX_SHIFT}"))
    return value


def _with_argument(quantized: QuantizedLayer, layer: Layer, step: Step) -> Step:
    missing = [
        Fault(f"layer {layer.name}.constants", f'"{name}" is missing')
        for name in ("arg_mult", "arg_shift")
        if name not in quantized.constants
    ]
    if missing:
        raise SpecError(missing)
    mult, shift = (int(quantized.constants[name].reshape(-1)[0]) for name in ("arg_mult", "arg_shift"))
    return replace(step, arg_mult=mult, arg_shift=shift)


def lower(network: QuantizedNetwork, template: Template, tiles: Mapping[str, Tiling] | None = None) -> Program:
    """Steps and memory image of a network on a template.

    Args:
        network: batch 1; every layer has its integer parameters.
        template: sizes of array and buffers.
        tiles: tile sizes by layer name; layers that are not named get those of :func:`hls.tiling.choose`.

    Raises:
        SpecError: parameters missing or out of range, widths over the template's, no tile fits.
    """
    state = _Lowering(network, template, tiles or {})
    for number, layer in enumerate(network.workload.layers):
        state.lower(number, layer)
    return Program(
        state.words, state.tensors, tuple(state.steps), state.input_bytes, state.tensor_bytes, state.image.data()
    )
