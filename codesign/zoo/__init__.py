"""Networks by name, with random weights: ``NETWORKS.names()`` lists them without loading torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mappings.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

    from mappings.workload import Workload


@dataclass(frozen=True)
class Network:
    """A network that can be built.

    Attributes:
        factory: ``module:function`` that builds it without arguments (imported when it is built).
        input_shape: of one sample, batch included.
        summary: one line.
        masked: has constants (masks) that decide which layers there are, so tracing needs values.
    """

    factory: str
    input_shape: tuple[int, ...]
    summary: str
    masked: bool = False

    def build(self, seed: int = 0) -> nn.Module:
        """The module in evaluation mode, with random weights of that seed."""
        import torch  # heavy: only where a network is built

        factory = self._factory()
        initialise: Callable[[Any, Tensor], None] = importlib.import_module("codesign.zoo.blocks").initialise
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            module: nn.Module = factory()
            initialise(module, self.inputs(1, seed))
        return module.eval()

    def workload(self, name: str = "", shapes: Sequence[tuple[int, ...]] = ()) -> Workload:
        """The layers alone: traced without weights where shapes are enough, so quickly and in little memory.

        Args:
            name: of the workload.
            shapes: of the inputs, where not ``input_shape``.

        Raises:
            SpecError: the network does not take inputs of these shapes.
        """
        import torch

        trace = importlib.import_module("codesign.trace").trace
        with torch.device("cpu" if self.masked else "meta"):
            module = self._factory()().eval()
            inputs = [torch.empty(shape) for shape in shapes or (self.input_shape,)]
            workload: Workload = trace(module, inputs, name)
        return workload

    def _factory(self) -> Callable[[], Any]:
        module_name, _, function = self.factory.partition(":")
        factory: Callable[[], Any] = getattr(importlib.import_module(module_name), function)
        return factory

    def inputs(self, count: int = 1, seed: int = 0) -> Tensor:
        """Standard normal samples ``[count, ...]``."""
        import torch

        generator = torch.Generator().manual_seed(seed)
        return torch.randn(count, *self.input_shape[1:], generator=generator)


def _register_builtins(registry: Registry[Network]) -> None:
    image = (1, 3, 224, 224)
    for name, factory, shape, summary in (
        ("resnet18", "resnet:resnet18", image, "ResNet-18 (He 2016), ImageNet"),
        ("resnet20", "resnet:resnet20", (1, 3, 32, 32), "ResNet-20 (He 2016), CIFAR, projection shortcuts"),
        ("resnet50", "resnet:resnet50", image, "ResNet-50 (He 2016), stride in the 3x3"),
        ("mobilenet_v2", "mobile:mobilenet_v2", image, "MobileNetV2 1.0 (Sandler 2018)"),
        ("mnasnet_b1", "mobile:mnasnet_b1", image, "MnasNet-B1 1.0 (Tan 2019), no squeeze-and-excite"),
        ("mnasnet_a1", "mobile:mnasnet_a1", image, "MnasNet-A1 1.0 (Tan 2019), squeeze-and-excite"),
        ("mobilenet_v3_small", "gated:mobilenet_v3_small", image, "MobileNetV3-Small 1.0 (Howard 2019)"),
        ("efficientnet_b0", "gated:efficientnet_b0", image, "EfficientNet-B0 (Tan 2019)"),
        ("vgg16", "plain:vgg16", image, "VGG-16 (Simonyan 2015)"),
        ("alexnet", "plain:alexnet", (1, 3, 227, 227), "AlexNet (Krizhevsky 2012), two groups, without LRN"),
        ("squeezenet", "plain:squeezenet", image, "SqueezeNet 1.1 (Iandola 2016)"),
        ("unet", "plain:unet", (1, 3, 256, 256), "U-Net (Ronneberger 2015), padded, batch norm, two classes"),
        ("unet_small", "plain:unet_small", (1, 3, 64, 64), "U-Net of three levels and a quarter of the widths"),
        ("dcgan", "plain:dcgan", (1, 100, 1, 1), "DCGAN's generator (Radford 2016), 64 x 64"),
        ("transformer_encoder", "transformer:encoder", (1, 32, 64), "2 pre-norm encoder blocks, 32 tokens of 64"),
        (
            "transformer_decoder",
            "transformer:decoder",
            (1, 40, 72),
            "2 causal, gated blocks, 40 tokens of 72",
        ),
        ("vit_tiny", "transformer:vit_tiny", image, "ViT-Ti/16 (Touvron 2021)"),
        ("bert_base_block", "transformer:bert_base_block", (1, 128, 768), "one BERT-base layer (Devlin 2019)"),
    ):
        masked = name == "transformer_decoder"
        registry.register(name, Network(f"codesign.zoo.{factory}", shape, summary, masked))


NETWORKS: Registry[Network] = Registry("network", _register_builtins)
