"""Energy by component, and the one way in which components, layers and parts of a layer are summed.

Batch paths hold a component a column and sum the columns in the same order
(:func:`accel_models.template.energy.total_pj`), so that all paths agree to the last bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable


class EnergyBreakdown(tuple[tuple[str, float], ...]):
    """(component, pJ) of each component that is modelled: "MAC", names of memories and networks, "leakage", ..."""

    __slots__ = ()

    @property
    def total_pj(self) -> float:
        """Sum over the components, in their order."""
        return sum(value for _, value in self)

    def of_pj(self, component: str) -> float:
        """What one component takes, 0 where the layer does not use it."""
        return sum(value for name, value in self if name == component)

    def without(self, components: Collection[str]) -> EnergyBreakdown:
        """The others."""
        return EnergyBreakdown(item for item in self if item[0] not in components)

    @classmethod
    def listed(cls, parts: Iterable[EnergyBreakdown | None]) -> EnergyBreakdown | None:
        """One after another; None where one of them is not modelled."""
        known = list(parts)
        whole = [part for part in known if part is not None]
        return None if len(whole) < len(known) else cls(item for part in whole for item in part)

    @classmethod
    def joined(cls, parts: Iterable[EnergyBreakdown | None]) -> EnergyBreakdown | None:
        """Added up by component, in the order in which they are met; None where one of them is not modelled."""
        items = cls.listed(parts)
        if items is None:
            return None
        energy: dict[str, float] = {}
        for name, value in items:
            energy[name] = energy.get(name, 0.0) + value
        return cls(energy.items())
