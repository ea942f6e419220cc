"""A quantised network on disk: ``NAME.yaml`` (graph, scalars, digest) beside ``NAME.npz`` (integers), no pickle."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mappings.errors import Fault, SpecError
from mappings.network_check import check_network
from mappings.npz import read_integer_arrays
from mappings.quantized import IntArray, QuantizedLayer, QuantizedNetwork
from mappings.workload import Workload
from mappings.yamlio import digest, dump_yaml, load_yaml

_ARRAYS = ("weight", "bias", "mult", "shift")
_FORMAT = 1


def network_digest(network: QuantizedNetwork) -> str:
    """SHA-256 (hex) of everything that a quantised network is made of."""
    return digest({"plain": _plain(network), "arrays": _array_digests(_arrays(network))})


def save_network(network: QuantizedNetwork, path: str | Path) -> tuple[Path, Path]:
    """Write ``path`` with the endings ``.yaml`` and ``.npz``; returns both.

    Raises:
        SpecError: the files can not be written.
    """
    yaml_path, npz_path = _files(path)
    arrays = _arrays(network)
    document = {"format": _FORMAT, "digest": network_digest(network), **_plain(network)}
    try:
        with npz_path.open("wb") as file:
            np.savez_compressed(file, **{name: _narrowed(array) for name, array in arrays.items()})  # type: ignore[arg-type]
        yaml_path.write_text(dump_yaml(document), encoding="utf-8")
    except OSError as error:
        raise SpecError(Fault(str(yaml_path), f"cannot be written: {error.strerror}")) from None
    return yaml_path, npz_path


def load_network(path: str | Path) -> QuantizedNetwork:
    """Read what :func:`save_network` wrote; ``path`` names either file.

    Raises:
        SpecError: unreadable, malformed, the digest is not that of the contents, or integers out of their bounds.
    """
    yaml_path, npz_path = _files(path)
    document = load_yaml(yaml_path)
    keys = {"format", "digest", "workload", "layers", "input_scales"}
    if not isinstance(document, dict) or set(document) != keys:
        raise SpecError(
            Fault(str(yaml_path), "is not a quantised network", "a mapping with " + ", ".join(sorted(keys)))
        )
    if document["format"] != _FORMAT:
        raise SpecError(Fault(f"{yaml_path}: format", f"is {document['format']}", str(_FORMAT)))
    arrays = read_integer_arrays(npz_path)
    workload = Workload.from_dict(document["workload"], f"{yaml_path}: workload")
    layers = document["layers"]
    if not isinstance(layers, dict) or set(layers) != set(workload.by_name):
        raise SpecError(Fault(f"{yaml_path}: layers", "are not those of the workload"))
    try:
        network = QuantizedNetwork(
            workload,
            {name: _layer(name, layers[name], arrays) for name in workload.by_name},
            {str(name): float(scale) for name, scale in document["input_scales"].items()},
        )
        found = network_digest(network)
    except (TypeError, ValueError, AttributeError, KeyError) as error:
        raise SpecError(Fault(str(yaml_path), f"is not a quantised network: {error}")) from None
    if found != document["digest"]:
        raise SpecError(Fault(str(yaml_path), f"digest is not that of its contents and of {npz_path.name}"))
    check_network(network)
    return network


def _files(path: str | Path) -> tuple[Path, Path]:
    base = Path(path)
    if base.suffix in (".yaml", ".npz"):
        base = base.with_suffix("")
    return base.with_name(base.name + ".yaml"), base.with_name(base.name + ".npz")


def _plain(network: QuantizedNetwork) -> dict[str, Any]:
    layers: dict[str, Any] = {}
    for name, layer in network.layers.items():
        layers[name] = {"low": layer.low, "high": layer.high, "scale": layer.scale}
        if layer.add_mult is not None:
            layers[name]["add_mult"] = list(layer.add_mult)
    return {
        "workload": network.workload.to_dict(),
        "input_scales": dict(network.input_scales),
        "layers": layers,
    }


def _arrays(network: QuantizedNetwork) -> dict[str, IntArray]:
    """Every array by ``layer/field`` or ``layer/constants/name``."""
    out: dict[str, IntArray] = {}
    for name, layer in network.layers.items():
        for field in _ARRAYS:
            array = getattr(layer, field)
            if array is not None:
                out[f"{name}/{field}"] = array
        out |= {f"{name}/constants/{key}": array for key, array in layer.constants.items()}
    return out


def _array_digests(arrays: dict[str, IntArray]) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for name, array in sorted(arrays.items()):
        data = np.ascontiguousarray(array, dtype="<i8").tobytes()
        out[name] = [list(array.shape), hashlib.sha256(data).hexdigest()]
    return out


def _narrowed(array: IntArray) -> NDArray[np.integer[Any]]:
    """The smallest integer type that holds it."""
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for kind in (np.int8, np.int16, np.int32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return array.astype(kind)
    return array


def _layer(name: str, plain: Any, arrays: dict[str, IntArray]) -> QuantizedLayer:
    prefix = f"{name}/constants/"
    pair = plain.get("add_mult")
    return QuantizedLayer(
        int(plain["low"]),
        int(plain["high"]),
        float(plain["scale"]),
        **{field: arrays.get(f"{name}/{field}") for field in _ARRAYS},
        add_mult=None if pair is None else (int(pair[0]), int(pair[1])),
        constants={key[len(prefix) :]: value for key, value in arrays.items() if key.startswith(prefix)},
    )
