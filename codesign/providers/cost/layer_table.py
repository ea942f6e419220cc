"""A table of layers as a file: what each costs on one accelerator, whoever found it out.

    {"hardware": "my_board", "by": "program", "layers": [
        {"layer": {a workload of that one layer}, "latency_ms": 0.012, "energy_uj": 1.3}, ...]}

``codesign table`` writes it; figures that were measured on a board may be put in its place. A layer is known by its
workload's digest (`accel_models.pricing.layers.alone`), which counts shapes and widths, and no names.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from accel_models.pricing.layers import alone
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.files import read_json
from mappings.reader import Reader
from mappings.workload import Workload

#: What a file may hold.
MAX_BYTES = 2**28
#: The largest figure that is believed, in ms or uJ.
_MOST = 1e15


@dataclass(frozen=True)
class LayerRow:
    """One layer alone.

    Attributes:
        layer: as a network of its own.
        latency_ms: of one run; not negative.
        energy_uj: likewise; None: not known.
    """

    layer: Workload
    latency_ms: float
    energy_uj: float | None


@dataclass
class LayerFile:
    """What is known of one accelerator.

    Attributes:
        hardware: its name.
        by: who found it out: "program", "directive", "simulation", or whatever a user writes.
        rows: by digest of the layer.
    """

    hardware: str
    by: str
    rows: dict[str, LayerRow] = field(default_factory=dict)

    def add(self, row: LayerRow) -> None:
        """Keep one layer's figures."""
        self.rows[row.layer.digest] = row

    def save(self, path: str | Path) -> None:
        """Write it, whole or not at all."""
        layers = [
            {"layer": row.layer.to_dict(), "latency_ms": row.latency_ms, "energy_uj": row.energy_uj}
            for row in self.rows.values()
        ]
        plain = {"hardware": self.hardware, "by": self.by, "layers": layers}
        write_durably(Path(path), json.dumps(plain, allow_nan=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> LayerFile:
        """Read one.

        Raises:
            SpecError: unreadable, malformed, or a layer twice; all faults at once.
        """
        where = str(path)
        raw = read_json(Path(path), MAX_BYTES)
        if not isinstance(raw, dict) or "layers" not in raw:
            raise SpecError(Fault(where, "is no table of layers", "what codesign table writes: hardware, by, layers"))
        reader = Reader(raw, where, ("hardware", "by", "layers"))
        found = cls(reader.text("hardware"), reader.text("by"))
        rows = reader.items("layers", _row, "{layer, latency_ms, energy_uj}")
        reader.done()
        for place, row in enumerate(rows):
            if row.layer.digest in found.rows:
                raise SpecError(Fault(f"{where}.layers[{place}]", "is a layer that is there already", "each once"))
            found.add(row)
        if not found.rows:
            raise SpecError(Fault(where, "has no layer", "one at least"))
        return found


def _row(given: Any, spot: str) -> LayerRow:
    reader = Reader(given, spot, ("layer", "latency_ms", "energy_uj"))
    layer = reader.take("layer", lambda value: Workload.from_dict(value, f"{spot}.layer"), "a workload of one layer")
    latency, energy = reader.number("latency_ms", 0, _MOST), reader.number("energy_uj", 0, _MOST, None)
    reader.done()
    single = alone(layer, layer.layers[0]) if len(layer.layers) == 1 else None  # by the names that such have here
    if single is None:
        raise SpecError(Fault(f"{spot}.layer", f"has {len(layer.layers)} layers", "one that runs"))
    return LayerRow(single, latency, energy)
