"""The accelerators that ship, one YAML file each, and the registry that finds them and a user's own by name."""

from __future__ import annotations

from pathlib import Path

from accel_models.hardware.accelerator import Accelerator
from mappings.registry import Registry

LIBRARY = Path(__file__).parent / "library"


def _register_builtins(registry: Registry[Accelerator]) -> None:
    for path in sorted(LIBRARY.glob("*.yaml")):
        registry.register(path.stem, Accelerator.load(path))


ACCELERATORS: Registry[Accelerator] = Registry("accelerator", _register_builtins)


def accelerator(name: str, where: str = "accelerator") -> Accelerator:
    """An accelerator by its registered name, or from a YAML file where the name ends in ``.yaml``.

    Raises:
        SpecError: no such name, or the file is unreadable or malformed.
    """
    return Accelerator.load(name) if name.endswith((".yaml", ".yml")) else ACCELERATORS.get(name, where)
