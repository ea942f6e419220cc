"""A design: one network, one accelerator, one mapping for each layer. One YAML, one digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accel_models.hardware.accelerator import Accelerator
from mappings.errors import Fault, SpecError, nearest
from mappings.mapping import Mapping
from mappings.reader import Reader
from mappings.workload import Workload
from mappings.yamlio import digest, dump_yaml, load_yaml


@dataclass(frozen=True)
class Design:
    """What search, RTL, HLS and report all read.

    Attributes:
        workload: the network.
        accelerator: what it runs on.
        mappings: (layer name, mapping) pairs, for each layer that the array runs.

    Raises:
        SpecError: a mapping of a layer that the workload does not have, or two of one.
    """

    workload: Workload
    accelerator: Accelerator
    mappings: tuple[tuple[str, Mapping], ...]

    def __post_init__(self) -> None:
        known = self.workload.by_name
        seen: set[str] = set()
        faults = []
        for name, _ in self.mappings:
            if name not in known:
                faults.append(Fault(f"design.mappings.{name[:60]}", f"no layer is called so{nearest(name, known)}"))
            elif name in seen:
                faults.append(Fault(f"design.mappings.{name}", "is given twice"))
            seen.add(name)
        if faults:
            raise SpecError(faults)

    def mapping_of(self, name: str) -> Mapping | None:
        """The mapping of a layer, or None."""
        return dict(self.mappings).get(name)

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "workload": self.workload.to_dict(),
            "accelerator": self.accelerator.to_dict(),
            "mappings": {name: mapping.to_dict() for name, mapping in self.mappings},
        }

    @classmethod
    def from_dict(cls, value: Any, where: str = "design") -> Design:
        """The reverse of :meth:`to_dict`.

        Raises:
            SpecError: malformed; all faults of workload, accelerator and mappings at once.
        """
        reader = Reader(value, where, ("workload", "accelerator", "mappings"))

        def mappings(given: Any) -> tuple[tuple[str, Mapping], ...]:
            if not isinstance(given, dict):
                raise ValueError
            pairs: list[tuple[str, Mapping]] = []
            faults: list[Fault] = []
            for name, item in given.items():
                try:
                    pairs.append((str(name), Mapping.from_dict(item, f"{where}.mappings.{str(name)[:60]}")))
                except SpecError as error:
                    faults.extend(error.faults)
            if faults:
                raise SpecError(faults)
            return tuple(pairs)

        workload = reader.take("workload", lambda v: Workload.from_dict(v, f"{where}.workload"), "a workload")
        accelerator = reader.take(
            "accelerator", lambda v: Accelerator.from_dict(v, f"{where}.accelerator"), "an accelerator"
        )
        pairs = reader.take("mappings", mappings, "mappings by layer name")
        reader.done()
        return cls(workload, accelerator, pairs)

    @classmethod
    def load(cls, path: str | Path) -> Design:
        """Read a YAML file.

        Raises:
            SpecError: unreadable or malformed.
        """
        return cls.from_dict(load_yaml(path), str(path))

    def save(self, path: str | Path) -> None:
        """Write a YAML file."""
        Path(path).write_text(dump_yaml(self.to_dict()), encoding="utf-8")

    @property
    def digest(self) -> str:
        """Digest of the canonical form."""
        return digest(self.to_dict())
