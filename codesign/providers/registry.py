"""Providers by name, with what each gives and needs, so that a recipe is checked without loading any."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from accel_models.hardware.devices import DeviceKind, device
from codesign import options
from codesign.accuracy.base import (
    BLOCKWISE_OPTIONS,
    CELL_OPTIONS,
    FEDERATED_OPTIONS,
    SUPERNET_OPTIONS,
    TAUGHT_OPTIONS,
    TRAIN_OPTIONS,
    TUNED_OPTIONS,
)
from codesign.accuracy.task import EVERY, NAMES, Sequence
from codesign.plugin import Plugin
from codesign.providers.accuracy.table import TABLE_OPTIONS
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
        reads: its preparation reads a file of the user's and does nothing else, so that what is wrong with it can be
            told before there is a run.
    """

    metrics: tuple[str, ...] = ()
    fpga_metrics: tuple[str, ...] = ()
    asic_metrics: tuple[str, ...] = ()
    dear: bool = False
    key: str = "design"
    reads: bool = False

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
        "predicted",
        ProviderEntry(
            "latency and energy by a regression on the decisions, fitted to designs that the exact program priced",
            f"{here}.cost.predicted:PredictedProvider",
            {
                "model": options.name("trees", ("trees", "mlp", "gp", "graph")),
                "samples": options.integer(400, 20, 100_000),
                "held_out": options.number(0.2, 0.01, 0.9),
            },
            source="Chen 2020, Dudziak 2020, Wen 2020",
            needs=("template", "design"),
            metrics=("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw"),
        ),
    )
    registry.register(
        "targets",
        ProviderEntry(
            "a network on several accelerators at once, exactly: the worst of each figure",
            f"{here}.cost.targets:TargetsProvider",
            {
                "hardware": options.list_of(
                    options.text(what="an accelerator that ships, or design.yaml or template.yaml"),
                    ("weight_stationary", "row_stationary", "channel_parallel"),
                    least=1,
                )
            },
            needs=("workload",),
            metrics=("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms"),
            key="network",
        ),
    )
    registry.register(
        "layer_sum",
        ProviderEntry(
            "each distinct layer's own program, timed alone; a network's figures are the sums",
            f"{here}.cost.layers:LayerSumProvider",
            source="Cai 2019",
            needs=("template", "design"),
            metrics=_FIGURES,
        ),
    )
    registry.register(
        "lookup",
        ProviderEntry(
            "a table of layers that codesign table built, or that was measured: a network's figures are the sums",
            f"{here}.cost.lookup:LookupProvider",
            {"file": options.text(what="the path of a table of layers", required=True)},
            source="Cai 2019",
            needs=("workload",),
            metrics=("latency_ms", "throughput_per_s", "energy_uj", "edp_uj_ms", "power_mw"),
            key="network",
            reads=True,
        ),
    )
    registry.register(
        "lookup_latency",
        ProviderEntry(
            "the same by a table that knows latencies alone",
            f"{here}.cost.lookup:LatencyProvider",
            {"file": options.text(what="the path of a table of layers", required=True)},
            source="Cai 2019",
            needs=("workload",),
            metrics=("latency_ms", "throughput_per_s"),
            key="network",
            reads=True,
        ),
    )
    registry.register(
        "simulated",
        ProviderEntry(
            "the accelerator's own program on its RTL under Verilator; energy from what it moves",
            f"{here}.cost.simulated:SimulatedProvider",
            needs=("template", "design"),
            metrics=(*_FIGURES, "buffer_bytes", "dram_bytes"),
            fpga_metrics=("dsp", "bram36", "lut", "ff", "fill"),
            asic_metrics=("area_mm2",),
            dear=True,
        ),
    )
    registry.register(
        "loop_tile",
        ProviderEntry(
            "the published formulas of a loop-tile accelerator, with every limit of the board enforced",
            f"{here}.cost.loop_tile:LoopTileProvider",
            {"port_bits": options.integer(512, 3, 2**20)},
            source="Jiang 2020",
            needs=("loop_tile", "workload"),
            offers=("report",),
            metrics=("latency_ms", "latency_cycles", "throughput_per_s"),
            fpga_metrics=("dsp", "bram36", "lut", "fill"),
        ),
    )
    registry.register(
        "loop_pipeline",
        ProviderEntry(
            "loop-tile accelerators on several boards of the device in a pipeline, by the published formulas",
            f"{here}.cost.loop_pipeline:LoopPipelineProvider",
            {"port_bits": options.integer(512, 3, 2**20)},
            source="Jiang 2020",
            needs=("loop_pipeline", "workload"),
            offers=("report",),
            metrics=("latency_ms", "latency_cycles", "throughput_per_s"),
            fpga_metrics=("dsp", "bram36", "lut", "fill"),
        ),
    )
    registry.register(
        "directive",
        ProviderEntry(
            "the directive model of what multiplies, on accelerators of free connectivity within an envelope",
            f"{here}.cost.directive:DirectiveProvider",
            needs=("connectivity", "layer_cost"),
            offers=("report",),
            metrics=(*_FIGURES, "onchip_energy_uj", "onchip_edp_uj_ms", "buffer_bytes", "dram_bytes"),
            asic_metrics=("area_mm2",),
        ),
    )
    registry.register(
        "shared",
        ProviderEntry(
            "several networks at once on sub-accelerators: the directive model, and the best schedule",
            f"{here}.cost.shared:SharedProvider",
            {"most_labels": options.integer(3000, 4, 10**7)},
            source="Yang 2020",
            needs=("sub_accelerators", "layer_cost"),
            offers=("report",),
            metrics=(*_FIGURES, "buffer_bytes", "dram_bytes"),
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
        "likeness",
        ProviderEntry(
            "how far a network is from an expert's, by the space's own distance of networks",
            f"{here}.cost.likeness:LikenessProvider",
            {"expert": options.choices_of()},
            source="Guo 2019",
            needs=("distance",),
            metrics=("expert_distance",),
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
            tasks=EVERY,
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "federated",
        ProviderEntry(
            "every network trained by clients that hold images of their own; their mean is scored on held-out images",
            f"{here}.accuracy.federated:FederatedProvider",
            FEDERATED_OPTIONS,
            source="McMahan 2017",
            needs=("workload", "trainable"),
            offers=("weights", "fidelity"),
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "probe",
        ProviderEntry(
            "a linear classifier on the features of the untrained network: a quick stand-in for training",
            f"{here}.accuracy.probe:ProbeProvider",
            {
                "draws": options.integer(1, 1, 1000),
                "ridge": options.number(3.0, 1e-9, 1e9),
                "images": options.integer(0, 0),
            },
            source="Saxe 2011",
            needs=("workload", "trainable"),
            offers=("fidelity",),
            tasks=NAMES,
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "proxies",
        ProviderEntry(
            "scores of the untrained network, and a gate that keeps poor ones from training",
            f"{here}.accuracy.proxies:ProxyProvider",
            {
                "gate": options.number(1.0, 0.01, 1.0),
                "by": options.name("naswot", ("synflow", "naswot", "snip")),
                "drawn": options.integer(32, 2, 100_000),
                "images": options.integer(32, 4, 1024),
            },
            source="Tanaka 2020, Mellor 2021, Lee 2019",
            needs=("workload", "trainable"),
            tasks=NAMES,
            metrics=("synflow", "naswot", "snip"),
            key="network",
        ),
    )
    registry.register(
        "supernet",
        ProviderEntry(
            "one set of weights trained for all networks of the space; each is scored with its part of them",
            f"{here}.accuracy.supernet:SupernetProvider",
            SUPERNET_OPTIONS,
            source="Guo 2020, Chu 2021, Yu 2020, Cai 2020, You 2020",
            needs=("workload", "trainable"),
            offers=("weights",),
            tasks=(*NAMES, Sequence.name),
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "blockwise",
        ProviderEntry(
            "blocks trained apart by the features of the largest network, and how far a network's blocks are from them",
            f"{here}.accuracy.blockwise:BlockwiseProvider",
            BLOCKWISE_OPTIONS,
            source="Li 2020",
            needs=("workload", "trainable", "cells"),
            offers=("weights",),
            tasks=NAMES,
            metrics=("accuracy", "block_error"),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "tuned",
        ProviderEntry(
            "compressed forms of one trained network: each keeps the weights that are left, and is tuned a little",
            f"{here}.accuracy.tuned:TunedProvider",
            TUNED_OPTIONS,
            source="He 2018, Wang 2019",
            needs=("workload", "trainable", "subjects"),
            offers=("weights",),
            tasks=NAMES,
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "taught",
        ProviderEntry(
            "networks trained a little: their accuracy, and how much they see images as a trained teacher does",
            f"{here}.accuracy.taught:TaughtProvider",
            TAUGHT_OPTIONS,
            source="Bashivan 2019",
            needs=("workload", "trainable"),
            offers=("fidelity",),
            tasks=NAMES,
            metrics=("accuracy", "teacher_likeness"),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "cell_supernet",
        ProviderEntry(
            "one set of weights trained for all cells of NAS-Bench-201; each is scored with its part of them",
            f"{here}.accuracy.cell_supernet:CellSupernetProvider",
            CELL_OPTIONS,
            source="Guo 2020, Chu 2021, Dong 2020",
            needs=("operations",),
            tasks=NAMES,
            metrics=("accuracy",),
            dear=True,
            key="network",
        ),
    )
    registry.register(
        "table",
        ProviderEntry(
            "accuracies that others measured of every network of a benchmark, from a file",
            f"{here}.accuracy.table:TableProvider",
            TABLE_OPTIONS,
            source="Dong 2020, Su 2021",
            needs=("table",),
            offers=("reported", "fidelity"),
            metrics=("accuracy",),
            dear=True,  # it stands for trainings: a search must not see accuracies that it did not ask for
            key="network",
            reads=True,
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
