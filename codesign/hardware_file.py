"""The YAML of hardware: of an accelerator, of a design (whose it is), or of a template with what it is on."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

from accel_models.hardware.accelerator import Accelerator
from accel_models.hardware.devices import device
from accel_models.template.accelerator import template_accelerator
from accel_models.template.spec import Template
from codesign.design_file import DesignFile, beside, located
from mappings.errors import Fault, SpecError
from mappings.reader import unknown_keys
from mappings.yamlio import load_yaml

_KEYS = ("name", "template", "technology", "device")
#: Parameters by which a template's file is told from an accelerator's, which has a clock too.
_PARAMETERS = {field.name for field in fields(Template)} - {"clock_hz"}


def load_hardware(path: str | Path) -> Accelerator:
    """The accelerator that a file holds.

    A template's file has the template's parameters (``array``, ``rows``, ...), or ``template`` with them beside
    ``technology`` and ``device``, which price energy and bound resources. The file of a device may lie beside it.

    Raises:
        SpecError: unreadable or malformed.
    """
    raw: Any = load_yaml(path)
    where = str(path)
    if isinstance(raw, dict) and ("design" in raw or "workload" in raw):
        return DesignFile.from_document(raw, Path(path)).design.accelerator
    if isinstance(raw, dict) and raw.keys() & _PARAMETERS and not raw.keys() & {"template", "levels"}:
        return template_accelerator(Template.from_dict(raw, where), name=Path(path).stem)
    if isinstance(raw, dict) and "template" in raw and "levels" not in raw:
        return _of_template(raw, where)
    return Accelerator.from_dict(located(raw, Path(path)), where)


def _of_template(raw: dict[Any, Any], where: str) -> Accelerator:
    faults = unknown_keys(raw, _KEYS, where)
    texts = {key: raw.get(key, "") for key in ("name", "technology", "device")}
    faults += [
        Fault(f"{where}: {key}", f"is {str(value)[:60]}", "a name")
        for key, value in texts.items()
        if not isinstance(value, str)
    ]
    if faults:
        raise SpecError(faults)
    texts["device"] = beside(Path(where), texts["device"])
    if texts["device"] and not texts["technology"]:
        texts["technology"] = device(texts["device"], f"{where}: device").technology
    template = Template.from_dict(raw["template"], f"{where}: template")
    return template_accelerator(template, texts["technology"], texts["device"], texts["name"] or Path(where).stem)
