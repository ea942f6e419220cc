"""Providers by name, with what each gives and needs, so that a recipe is checked without loading any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from accel_models.hardware.devices import DeviceKind, device
from codesign.accuracy.base import TRAIN_OPTIONS
from codesign.plugin import Plugin
from codesign.providers.base import Provider, ProviderContext
from mappings.errors import Fault, SpecError
from mappings.registry import Registry

ProviderFactory: TypeAlias = Callable[[ProviderContext], Provider]


@dataclass(frozen=True)
class ProviderEntry(Plugin[ProviderFactory]):
    """One provider.

    Attributes:
        metrics: that it gives on any device.
        fpga_metrics, asic_metrics: that it gives on such a device alone.
        dear: measures only designs that break no bound so far; the others also tell what a refused design would cost.
        key: by what its results are shared: "network" or "design".
    """

    metrics: tuple[str, ...] = ()
    fpga_metrics: tuple[str, ...] = ()
    asic_metrics: tuple[str, ...] = ()
    dear: bool = False
    key: str = "design"

    def metrics_on(self, device_name: str) -> tuple[str, ...]:
        """What it gives on a device.

        Raises:
            SpecError: no such device.
        """
        fpga = device(device_name).kind is DeviceKind.FPGA
        return (*self.metrics, *(self.fpga_metrics if fpga else self.asic_metrics))


_FIGURES = ("latency_ms", "latency_cycles", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw")


def _register_builtins(registry: Registry[ProviderEntry]) -> None:
    here = "codesign.providers"
    registry.register(
        "schedule",
        ProviderEntry(
            "the accelerator's own program, timed to the cycle; energy from what it moves",
            f"{here}.cost.schedule:ScheduleProvider",
            needs=("template", "design"),
            metrics=(*_FIGURES, "buffer_bytes", "dram_bytes"),
            fpga_metrics=("dsp", "bram36", "lut", "ff", "fill"),
            asic_metrics=("area_mm2",),
        ),
    )
    registry.register(
        "size",
        ProviderEntry(
            "multiply-accumulates, parameters and bytes of the network alone, whatever it runs on",
            f"{here}.cost.size:SizeProvider",
            needs=("workload",),
            metrics=("macs", "parameters", "weight_bytes"),
            key="network",
        ),
    )
    registry.register(
        "train",
        ProviderEntry(
            "every network trained from scratch with its quantisation, scored on held-out images",
            f"{here}.accuracy.train:TrainProvider",
            TRAIN_OPTIONS,
            needs=("workload", "trainable"),
            offers=("weights", "fidelity"),
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )


PROVIDERS: Registry[ProviderEntry] = Registry("provider", _register_builtins)


def make_provider(name: str, context: ProviderContext, where: str = "providers") -> Provider:
    """A provider; options that the context leaves out take their defaults.

    Raises:
        SpecError: unknown name or option.
    """
    entry = PROVIDERS.get(name, where)
    given = entry.checked(context.options, f"{where}.{name}")
    made = entry.load()(replace(context, options=given))
    missing = set(entry.metrics_on(context.device)) - set(made.metrics)
    if missing:
        raise SpecError(Fault(f"provider {name}", f"does not give {', '.join(sorted(missing))}, as it is registered"))
    return made
