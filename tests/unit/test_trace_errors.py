"""What can not be traced or loaded is told by name, in one message."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from codesign.trace import load_module, supported_operators, trace
from mappings.errors import SpecError


class Sorted(nn.Module):
    """An order of values, which no layer of ours makes."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sort(x, 1).values


class Unsupported(nn.Module):
    """Two operators without a lowering, in two places."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Conv2d(3, 4, 3), Sorted())

    def forward(self, x: Tensor) -> Tensor:
        return torch.cumsum(self.inner(x), 1)


class DataDependent(nn.Module):
    """A branch on a value."""

    def forward(self, x: Tensor) -> Tensor:
        return x if x.sum() > 0 else -x


class Broken(nn.Module):
    """Fails in forward."""

    def forward(self, x: Tensor) -> Tensor:
        return x @ torch.ones(3, 3)


class Trace(nn.Module):
    """An einsum that is no matrix product."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bii->b", x)


def message(module: nn.Module, *shape: int) -> str:
    with pytest.raises(SpecError) as caught:
        trace(module, torch.randn(shape))
    return str(caught.value)


def test_unsupported_operators_are_all_told_with_their_places() -> None:
    text = message(Unsupported(), 1, 3, 8, 8)
    assert "aten.cumsum.default" in text
    assert "return torch.cumsum(self.inner(x), 1)" in text
    assert "test_trace_errors.py:" in text
    assert "Unsupported.inner.1" in text
    assert "conv2d" in text.split("allowed: ")[1]
    assert text.count("allowed: ") == 1


def test_control_flow_on_values(capfd: pytest.CaptureFixture[str]) -> None:
    text = message(DataDependent(), 1, 4)
    assert "DataDependent.forward: its control flow depends on the values" in text
    assert capfd.readouterr() == ("", "")  # torch's own account stays out of the one message


def test_forward_that_fails() -> None:
    assert "Broken.forward: fails on an input of 1x4: RuntimeError" in message(Broken(), 1, 4)


def test_options_that_can_not_be_lowered() -> None:
    assert "einsum bii->b: can not be lowered (allowed: one or two operands" in message(Trace(), 1, 3, 3)
    assert "has no operator that a layer could be made of" in message(nn.Identity(), 1, 2, 3, 4, 5)


def test_supported_operators_are_listed() -> None:
    names = supported_operators()
    assert {"conv2d", "linear", "softmax", "layer_norm", "matmul", "hardswish"} <= set(names)
    assert list(names) == sorted(names)


SOURCE = """
import torch
from torch import nn

class MyNet(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
    def forward(self, x):
        return self.conv(x)

class NeedsArguments(nn.Module):
    def __init__(self, width, depth):
        super().__init__()

class Fails(nn.Module):
    def __init__(self):
        raise RuntimeError("no weights")

def build():
    return MyNet(8)

def wrong():
    return 3

instance = MyNet(2)
number = 7
"""


def test_siblings_of_the_file_can_be_imported(tmp_path: Path) -> None:
    (tmp_path / "sibling_of_late.py").write_text("WIDTH = 6\n")
    source = SOURCE.replace("def build():", "def build():\n    from sibling_of_late import WIDTH")
    path = tmp_path / "late.py"
    path.write_text(source.replace("MyNet(8)", "MyNet(WIDTH)"))
    before = list(sys.path)
    assert trace(load_module(f"{path}:build"), torch.randn(1, 3, 8, 8)).layers[0].K == 6
    assert sys.path == before


def test_load_module(tmp_path: Path) -> None:
    path = tmp_path / "my_module.py"
    path.write_text(SOURCE)
    widths = {}
    for name in ("MyNet", "build", "instance"):
        workload = trace(load_module(f"{path}:{name}"), torch.randn(1, 3, 8, 8))
        widths[name] = workload.layers[0].K
    assert widths == {"MyNet": 4, "build": 8, "instance": 2}
    first, again = (load_module(f"{path}:MyNet", seed=5) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("my_module.py", "is not a reference to a module"),
        ("my_modul.py:MyNet", 'no such file, did you mean "my_module.py"'),
        ("my_module.py:MyNett", 'has no "MyNett", did you mean "MyNet"'),
        ("my_module.py:NeedsArguments", "needs arguments: width, depth"),
        ("my_module.py:Fails", "can not be built: RuntimeError: no weights"),
        ("my_module.py:wrong", "gives int"),
        ("my_module.py:number", "is int"),
        ("syntax.py:MyNet", "syntax.py:2: fails when imported: SyntaxError"),
        ("raises.py:MyNet", "fails when imported: ModuleNotFoundError"),
        ("exits.py:MyNet", "fails when imported: SystemExit: 3"),
        ("notes.txt:MyNet", "is not a Python file"),
    ],
)
def test_load_errors(tmp_path: Path, reference: str, expected: str) -> None:
    (tmp_path / "my_module.py").write_text(SOURCE)
    (tmp_path / "syntax.py").write_text("import torch\nclass :\n")
    (tmp_path / "raises.py").write_text("import no_such_package_here\n")
    (tmp_path / "exits.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(SpecError) as caught:
        load_module(str(tmp_path / reference))
    assert expected in str(caught.value)


NET = """
import torch
from torch import nn
{imports}

class MyNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = block({width})
    def forward(self, x):
        {late}
        return activate(self.body(x))
"""
LAYERS = """
from torch import nn

def block(width):
    return nn.Conv2d(3, width, 3)
"""


@pytest.mark.parametrize("package", [True, False], ids=["package", "plain folders"])
@pytest.mark.parametrize("reference", ["pkg/net.py:MyNet", "./pkg/net.py:MyNet", "pkg.net:MyNet", "ABSOLUTE"])
@pytest.mark.parametrize(
    "imports",
    ["from .layers import block", "from pkg.layers import block", "from pkg import layers; block = layers.block"],
)
@pytest.mark.parametrize(
    "late", ["from .more import activate", "from pkg.more import activate", "from top_level_more import activate"]
)
def test_modules_inside_a_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: bool, reference: str, imports: str, late: str
) -> None:
    """What ``python -c "import pkg.net"`` finds loads, and what ``forward`` imports is found when it runs."""
    root, width = tmp_path / "project", len(imports)
    (root / "pkg").mkdir(parents=True)
    if package:
        (root / "pkg" / "__init__.py").write_text("")
    (root / "pkg" / "layers.py").write_text(LAYERS)
    (root / "pkg" / "more.py").write_text("from torch import relu as activate\n")
    (root / "top_level_more.py").write_text("from torch import relu as activate\n")
    (root / "pkg" / "net.py").write_text(NET.format(imports=imports, width=width, late=late))
    monkeypatch.chdir(root)
    before = list(sys.path)
    module = load_module(reference.replace("ABSOLUTE", f"{root}/pkg/net.py:MyNet"))
    assert module(torch.randn(1, 3, 8, 8)).shape[1] == width
    assert sys.path == before


def test_a_package_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From another folder; and two projects with packages of one name do not mix."""
    monkeypatch.chdir(tmp_path)
    for width in (3, 5):
        folder = tmp_path / f"project{width}" / "pkg"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "layers.py").write_text(LAYERS.replace("nn.Conv2d(3, width, 3)", f"nn.Conv2d(3, {width}, 3)"))
        source = NET.format(imports="from pkg.layers import block", width=9, late="from .more import activate")
        (folder / "net.py").write_text(source)
        (folder / "more.py").write_text("from torch import relu as activate\n")
        module = load_module(f"project{width}/pkg/net.py:MyNet")
        assert width == trace(module, torch.randn(1, 3, 8, 8)).layers[0].K


def test_files_named_as_other_modules(tmp_path: Path) -> None:
    """A file may be called as an installed module, or as nothing that Python could import."""
    for name in ("queue.py", "my-net 2.py", "class.py"):
        (tmp_path / name).write_text("from torch import nn\nnet = nn.Conv2d(3, 4, 1)\n")
        assert load_module(f"{tmp_path}/{name}:net")(torch.randn(1, 3, 8, 8)).shape[1] == 4
    assert sys.modules["queue"].__file__ != str(tmp_path / "queue.py")


@pytest.mark.parametrize("name", ["mappings", "hls", "queue", "random", "statistics", "yaml"])
@pytest.mark.parametrize("dotted", [False, True])
def test_a_project_with_a_package_of_a_name_that_others_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, dotted: bool
) -> None:
    """It gets its own, and whoever imports the other one gets that."""
    package = tmp_path / name
    package.mkdir()
    (package / "__init__.py").write_text("OWN = 1\n")
    (package / "parts.py").write_text("WIDTH = 4\n")
    source = f"from torch import nn\nfrom {name} import OWN\nfrom .parts import WIDTH\nnet = nn.Conv2d(3, WIDTH, OWN)\n"
    (package / "net.py").write_text(source)
    (tmp_path / "user.py").write_text(f"from {name}.net import net\n")
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        module = load_module(f"{name}.net:net" if dotted else f"{name}/net.py:net")
        assert module(torch.randn(1, 3, 8, 8)).shape[1] == 4
        if name in ("mappings", "hls"):
            load_module("user.py:net")
        assert not hasattr(importlib.import_module(name), "OWN")


def test_a_file_of_a_name_that_others_have_is_found_by_that_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("mappings", "random"):
        (tmp_path / f"{name}.py").write_text("from torch import nn\nnet = nn.Conv2d(3, 4, 1)\n")
        assert load_module(f"{name}:net")(torch.randn(1, 3, 8, 8)).shape[1] == 4
        assert not hasattr(importlib.import_module(name), "net")
    # The next project takes no name from us either.
    (tmp_path / "other.py").write_text("from torch import nn\nnet = nn.Conv2d(3, 5, 1)\n")
    ours = importlib.import_module("mappings.errors")
    assert load_module("other.py:net")(torch.randn(1, 3, 8, 8)).shape[1] == 5
    assert importlib.import_module("mappings.errors") is ours


@pytest.mark.parametrize(("where", "reference"), [("p/pkg", "net.py:MyNet"), ("", "p/pkg/net.py:MyNet")])
def test_a_package_from_within_and_from_above(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, reference: str
) -> None:
    """Relative and absolute imports give one module, not two of the same file."""
    folder = tmp_path / "p" / "pkg"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "layers.py").write_text(LAYERS)
    late = "import pkg.layers as b; from . import layers as a; assert a is b; from torch import relu as activate"
    (folder / "net.py").write_text(NET.format(imports="from .layers import block", width=4, late=late))
    monkeypatch.chdir(tmp_path / where)
    assert load_module(reference)(torch.randn(1, 3, 8, 8)).shape[1] == 4


def test_modules_that_are_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_package").mkdir()
    (tmp_path / "my_package" / "__init__.py").write_text("")
    (tmp_path / "my_package" / "net.py").write_text("import no_such_package_here\n")
    for reference, expected in {
        "my_packag.net:MyNet": 'my_packag.net: no module "my_packag", did you mean "my_package"',
        "my_package.nett:MyNet": 'no module "my_package.nett"',
        "my_package.net:MyNet": "fails when imported: ModuleNotFoundError: No module named 'no_such_package_here'",
    }.items():
        with pytest.raises(SpecError) as caught:
            load_module(reference)
        assert expected in str(caught.value)
