"""Published models, traced: multiply-accumulates beside torch's own counter, values beside the model's.

    python -m benchmarks.trace_models [--path FOLDER] [--models resnet50,swin_t] [--json]

Models are torchvision's and timm's, with random weights, where these import (neither is needed by the project); a
folder to which they were installed by ``pip install --no-deps --target FOLDER torchvision timm`` does as well. Each
model is told on standard error as soon as it is through. Exit status 1 where a model does not trace, its values
differ, or its MACs are others than torch counts.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # so that it runs from any folder

import torch
from torch import Tensor, fx, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import Figure, show
from codesign.trace import trace_network
from codesign.trace.capture import Captured
from codesign.trace.ops_select import SHAPE_ONLY
from codesign.trace.table import aten_name
from mappings.errors import SpecError

TORCHVISION = (
    "alexnet", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "squeezenet1_1", "densenet121",
    "googlenet", "inception_v3", "mobilenet_v2", "mobilenet_v3_small", "mnasnet0_5", "shufflenet_v2_x0_5",
    "efficientnet_b0", "efficientnet_v2_s", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t",
    "maxvit_t", "deeplabv3_resnet50", "deeplabv3_mobilenet_v3_large", "fcn_resnet50", "lraspp_mobilenet_v3_large",
)  # fmt: skip
TIMM = (
    "poolformer_s12", "mobilevit_s", "mobilevitv2_050", "xcit_nano_12_p16_224", "edgenext_xx_small", "resmlp_12_224",
    "skresnet18", "efficientformer_l1", "swin_tiny_patch4_window7_224", "mixer_s16_224", "ghostnet_100", "levit_128",
    "pvt_v2_b0", "deit_tiny_patch16_224", "repvgg_a0", "convnextv2_atto", "cait_xxs24_224", "coatnet_nano_rw_224",
    "efficientvit_b0", "fastvit_t8",
)  # fmt: skip
#: Side of the input where it is not 224.
SIDES = {"inception_v3": 299, "coatnet_nano_rw_224": 224, "mobilevit_s": 256, "mobilevitv2_050": 256}


def torch_macs(module: nn.Module, *inputs: Tensor) -> int:
    """Multiply-accumulates of one run as torch counts them, attention step by step rather than fused."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        counter = FlopCounterMode(display=False)
        with counter, sdpa_kernel(SDPBackend.MATH), torch.no_grad():
            module(*inputs)
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() // 2


def constant_macs(captured: Captured) -> int:
    """Multiply-accumulates of what does not depend on the input, which a trace has computed beforehand."""
    depends: set[fx.Node] = set()
    for node in captured.graph.nodes:
        made = node.op == "call_function" and aten_name(node) not in SHAPE_ONLY
        if node.name in captured.inputs or (made and any(source in depends for source in node.all_input_nodes)):
            depends.add(node)

    class Constants(fx.Interpreter):
        def run_node(self, n: fx.Node) -> Any:
            if n in depends or n.op == "output":
                return None
            if aten_name(n) in SHAPE_ONLY:
                return torch.zeros(n.meta["val"].shape, dtype=n.meta["val"].dtype)
            return super().run_node(n)

    given = [captured.tensors.get(node.name) for node in captured.graph.nodes if node.op == "placeholder"]
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        Constants(captured.graph_module).run(*given)
    return counter.get_total_flops() // 2


@contextlib.contextmanager
def _without_compiled_operators() -> Iterator[None]:
    """torchvision's Python models import beside a torch that its compiled operators were not built for."""
    register: Any = torch.library.register_fake

    def lenient(name: Any, *arguments: Any, **options: Any) -> Any:
        made = register(name, *arguments, **options)

        def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
            with contextlib.suppress(RuntimeError):  # the operator does not exist: no classifier needs it
                made(function)
            return function

        return decorate

    torch.library.register_fake = lenient  # type: ignore[assignment]
    try:
        yield
    finally:
        torch.library.register_fake = register


def builders(names: tuple[str, ...]) -> dict[str, Callable[[], nn.Module]]:
    """How to build each model whose library imports; with random weights."""
    found: dict[str, Callable[[], nn.Module]] = {}
    with _without_compiled_operators(), contextlib.suppress(ImportError):
        models = importlib.import_module("torchvision.models")
        plain = {"weights": None}
        heads = {"googlenet": {"init_weights": False}, "inception_v3": {"init_weights": False}}
        for name in names or TORCHVISION:
            if name in models.list_models():
                options = {**plain, **heads.get(name, {})}
                if ("resnet50" in name and name.startswith(("deep", "fcn"))) or name.startswith(("deeplab", "lraspp")):
                    options["weights_backbone"] = None
                found[name] = lambda name=name, options=options: models.get_model(name, **options)  # type: ignore[misc]
    with _without_compiled_operators(), contextlib.suppress(ImportError):
        timm = importlib.import_module("timm")
        known = set(timm.list_models())
        for name in names or TIMM:
            if name in known and name not in found:
                found[name] = lambda name=name: timm.create_model(name, pretrained=False)  # type: ignore[misc]
    return found


@dataclass(frozen=True)
class Outcome:
    """One model.

    Attributes:
        error: why it does not trace; "" where it does.
        macs: of the trace, scales by channel left out.
        counted: as torch counts them, less what does not depend on the input.
        difference: largest difference of values, over the largest value.
    """

    error: str
    macs: int = 0
    counted: int = 0
    difference: float = 0.0
    layers: int = 0
    seconds: float = 0.0


def _first(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value
    return _first(next(iter(value.values() if isinstance(value, dict) else value)))


def try_model(build: Callable[[], nn.Module], side: int) -> Outcome:
    """Trace a model, count, and run the trace in float."""
    torch.manual_seed(0)
    module, x = build().eval().requires_grad_(False), torch.randn(1, 3, side, side)
    start = time.perf_counter()
    try:
        traced = trace_network(module, x)
    except SpecError as error:
        return Outcome(str(error).splitlines()[0][:300])
    seconds = time.perf_counter() - start
    with torch.no_grad():
        expected = _first(module(x))
    values, output = traced.run_float(x), traced.outputs[0]
    index = torch.from_numpy(output.index(traced.stored_shapes[output.tensor]))
    found = values[output.tensor].reshape(-1)[index]
    difference = float((found - expected).abs().max() / expected.abs().max().clamp_min(1e-9))
    counted = torch_macs(module, x) - constant_macs(traced.captured)
    return Outcome("", traced.workload.macs - traced.scale_macs, counted, difference, len(traced.layers), seconds)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", help="folder where torchvision and timm are")
    parser.add_argument("--models", default="", help="names, with commas; all unless given")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if arguments.path:
        sys.path.insert(0, arguments.path)
    warnings.simplefilter("ignore")
    names = tuple(name for name in arguments.models.split(",") if name)
    made = builders(names)
    for name in names:
        if name not in made:
            print(f"{name}: no such model in the libraries that import", file=sys.stderr)
            return 2
    figures = []
    for name, build in made.items():
        outcome = try_model(build, SIDES.get(name, 224))
        if outcome.error:
            print(f"{name}: {outcome.error}", file=sys.stderr, flush=True)
            figures.append(Figure(f"{name}: layers", 0, "a trace", False))
            continue
        right = outcome.macs == outcome.counted and outcome.difference < 1e-3
        told = f"{outcome.macs:,} MACs, torch {outcome.counted:,}, values differ by {outcome.difference:.1e} at most"
        print(
            f"{name}: {'' if right else 'WRONG: '}{told}; {outcome.layers} layers in {outcome.seconds:.1f} s",
            file=sys.stderr,
            flush=True,
        )
        figures.append(Figure(f"{name}: MACs", outcome.macs, f"{outcome.counted:,}", right))
    traced = sum(figure.name.endswith("MACs") for figure in figures)
    figures.append(Figure("models traced", traced, str(len(made)), traced == len(made) > 0))
    return show("trace_models", figures, arguments.json)


if __name__ == "__main__":
    sys.exit(main())
