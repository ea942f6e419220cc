"""One accelerator, nothing to decide: networks are searched for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from accel_models.template.spec import Template
from codesign.decisions import Variable
from codesign.hardware_file import load_hardware
from codesign.spaces.hardware.templates import data_bits
from mappings.errors import Fault, SpecError, unknown_name
from mappings.workload import Workload

#: Small accelerators that ship, one an array, and one that runs attention.
LIBRARY = Path(__file__).parent / "library"


def library_names() -> tuple[str, ...]:
    """Accelerators that ship."""
    return tuple(sorted(path.stem for path in LIBRARY.glob("*.yaml")))


@dataclass(frozen=True)
class FixedHardware:
    """An accelerator of ours from a file.

    Attributes:
        hardware: the YAML of a design, whose accelerator is taken, or of a template; or the name of one that ships.
    """

    hardware: str

    @property
    def decisions(self) -> tuple[Variable, ...]:
        """None."""
        return ()

    @property
    def template(self) -> Template:
        """The accelerator.

        Raises:
            SpecError: malformed, or a design on hardware that is not ours.
        """
        return self._read[0]

    @property
    def device(self) -> str:
        """What the file says it is on, "" where it does not say.

        Raises:
            SpecError: as :attr:`template`.
        """
        return self._read[1]

    @cached_property
    def _read(self) -> tuple[Template, str]:
        path = LIBRARY / f"{self.hardware}.yaml" if self.hardware in library_names() else Path(self.hardware)
        if path.suffix not in (".yaml", ".yml"):
            raise unknown_name("hardware", "accelerator", self.hardware, library_names())
        accelerator = load_hardware(path)
        if accelerator.template is None:
            raise SpecError(Fault(self.hardware, "its accelerator has no template", "one that rtl_templates builds"))
        return accelerator.template, accelerator.device

    def hardware_at(self, point: Mapping[str, Any], workload: Workload | None) -> Template:
        """The accelerator; its widths of data are the network's, but for weights that it packs."""
        if workload is None:
            return self.template
        act_bits, weight_bits = data_bits(workload)
        narrower = self.template.weight_packing > 1 and weight_bits < self.template.weight_bits
        if act_bits == self.template.act_bits and (narrower or weight_bits == self.template.weight_bits):
            return self.template
        raise SpecError(
            Fault(
                self.hardware,
                f"runs {self.template.act_bits}-bit activations and {self.template.weight_bits}-bit weights, "
                f"the network has {act_bits} and {weight_bits}",
                "compression none, or choices of weight_bits and act_bits as the hardware's",
            )
        )
