"""Design files: what one point of a front is on disk, and how any command reads it back.

A design file holds a design (network, accelerator, mappings), what was measured of it, and the name of its deployed
network. That name is a plain word; its files are looked up beside the design file and in ``../networks``, nowhere else.
A file with the three keys of a plain design is accepted too.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeGuard

from accel_models.design import Design
from mappings.durable import write_durably
from mappings.errors import Fault, SpecError
from mappings.network_io import load_network
from mappings.quantized import QuantizedNetwork
from mappings.reader import unknown_keys
from mappings.yamlio import dump_yaml, load_yaml

_KEYS = ("name", "design", "network", "dataset", "decisions", "accuracy")
_PLAIN = {"workload", "accelerator", "mappings"}
_LONGEST_PATH = 4096
_WORD = re.compile(r"[A-Za-z0-9_\-]{1,80}")


@dataclass(frozen=True)
class DesignFile:
    """A design with its measurements.

    Attributes:
        name: of the point.
        design: network, accelerator and mappings.
        network: name of the deployed network's files, or "".
        dataset: what names the images it was trained for (`accuracy.data.load_dataset`), or "".
        decisions: the point of the search space, or empty.
        accuracy: by part, 0 to 1; empty where it was not measured.
        path: of the file, or None.
    """

    name: str
    design: Design
    network: str = ""
    dataset: str = ""
    decisions: dict[str, int | str] = field(default_factory=dict)
    accuracy: dict[str, float] = field(default_factory=dict)
    path: Path | None = None

    def save(self, path: Path) -> None:
        """Write the file."""
        design = self.design.to_dict()
        device = design["accelerator"].get("device", "")
        if _is_own(device) and Path(device).is_file():
            design["accelerator"]["device"] = os.path.relpath(device, path.parent)
        document = {
            "name": self.name,
            "network": self.network,
            "dataset": self.dataset,
            "accuracy": dict(self.accuracy),
            "decisions": dict(self.decisions),
            "design": design,
        }
        write_durably(path, dump_yaml(document))

    @classmethod
    def load(cls, path: str | Path) -> DesignFile:
        """Read a file.

        Raises:
            SpecError: unreadable or malformed.
        """
        return cls.from_document(load_yaml(path), Path(path))

    @classmethod
    def from_document(cls, raw: Any, path: Path) -> DesignFile:
        """What stands in a file.

        Raises:
            SpecError: malformed.
        """
        where = str(path)
        if not isinstance(raw, dict):
            raise SpecError(Fault(where, f"is {type(raw).__name__}", "a design: " + ", ".join(_KEYS)))
        if set(raw) == _PLAIN:
            return cls(path.stem, Design.from_dict(_located(raw, path), where), path=path)
        faults = unknown_keys(raw, _KEYS, where)
        faults += [
            Fault(where, f'"{key}" is missing', ", ".join(_KEYS)) for key in ("name", "design") if key not in raw
        ]
        network, dataset = str(raw.get("network") or ""), str(raw.get("dataset") or "")
        for key, word in (("name", str(raw.get("name"))), ("network", network)):
            if word and not _WORD.fullmatch(word):
                faults.append(Fault(f"{where}: {key}", f"is {word[:60]!r}", "letters, digits, - and _"))
        if len(dataset) > _LONGEST_PATH or not dataset.isprintable():
            what = f"a registered name, a file, a folder or MODULE:NAME, of {_LONGEST_PATH} characters at most"
            faults.append(Fault(f"{where}: dataset", f"is {dataset[:60]!r}", what))
        decisions, accuracy = raw.get("decisions") or {}, raw.get("accuracy") or {}
        if not isinstance(decisions, dict) or any(type(value) not in (int, str) for value in decisions.values()):
            faults.append(Fault(f"{where}: decisions", "is not names with choices", "a mapping"))
        if not isinstance(accuracy, dict) or any(type(value) not in (int, float) for value in accuracy.values()):
            faults.append(Fault(f"{where}: accuracy", "is not parts with numbers", "a mapping"))
        if faults:
            raise SpecError(faults)
        design = Design.from_dict(_located(raw["design"], path), f"{where}: design")
        plain_decisions = {str(name): value for name, value in decisions.items()}
        plain_accuracy = {str(name): float(value) for name, value in accuracy.items()}
        return cls(str(raw["name"]), design, network, dataset, plain_decisions, plain_accuracy, path)

    def load_network(self) -> QuantizedNetwork | None:
        """The deployed network, or None where the file names none.

        Raises:
            SpecError: its files are missing or malformed, or are of another network.
        """
        if not self.network or self.path is None:
            return None
        folders = (self.path.parent, self.path.parent.parent / "networks")
        for folder in folders:
            if (folder / f"{self.network}.npz").exists():
                network = load_network(folder / self.network)
                if network.workload != self.design.workload:
                    raise SpecError(Fault(str(self.path), f'network "{self.network}" is not the one of the design'))
                return network
        looked = " or ".join(str(folder) for folder in folders)
        raise SpecError(Fault(str(self.path), f'the files of network "{self.network}" are missing', f"in {looked}"))


def _is_own(device: object) -> TypeGuard[str]:
    return isinstance(device, str) and device.endswith((".yaml", ".yml"))


def beside(path: Path, name: str) -> str:
    """A device that a file names: the file of one beside it, so that a folder may lie anywhere; else as it is."""
    if _is_own(name) and (path.parent / name).is_file():
        return os.path.normpath(path.parent / name)
    return name


def located(accelerator: Any, path: Path) -> Any:
    """An accelerator whose device is a file beside its own."""
    if not isinstance(accelerator, dict) or not isinstance(accelerator.get("device"), str):
        return accelerator
    return {**accelerator, "device": beside(path, accelerator["device"])}


def _located(design: Any, path: Path) -> Any:
    """A design whose device is a file beside the design's own."""
    if not isinstance(design, dict) or "accelerator" not in design:
        return design
    return {**design, "accelerator": located(design["accelerator"], path)}
