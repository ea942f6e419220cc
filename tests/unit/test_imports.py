"""The house's arrows: who may import whom, and which rooms stay light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = {
    "mappings": {"mappings"},
    "accel_models": {"mappings", "accel_models"},
    "rtl_templates": {"mappings", "accel_models", "rtl_templates"},
    "hls": {"mappings", "accel_models", "hls"},
    "codesign": {"mappings", "accel_models", "rtl_templates", "hls", "codesign"},
}
HEAVY = {"torch", "optuna"}


def imported(path: Path) -> set[str]:
    """Top-level names that a module imports anywhere, functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("room", ROOMS)
def test_arrows_point_one_way(room: str) -> None:
    modules = sorted((ROOT / room).rglob("*.py"))
    assert modules, f"no modules in {room}"
    for path in modules:
        found = imported(path)
        assert not (found & set(ROOMS)) - ROOMS[room], f"{path.relative_to(ROOT)} imports against the arrows"
        assert "tests" not in found, f"{path.relative_to(ROOT)} imports the tests"
        if room != "codesign":
            assert not found & HEAVY, f"{path.relative_to(ROOT)} imports {found & HEAVY}"


def test_a_wrong_recipe_is_refused_before_anything_heavy_is_loaded() -> None:
    heavy = [*sorted(HEAVY), "scipy", "networkx", "numba", "pandas", "sklearn"]
    code = f"""import sys
from codesign.cli.main import main
assert main(["explore", "--recipe", "defalt"]) == 2
print([m for m in {heavy!r} if m in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("room", ROOMS)
def test_rooms_load_without_heavy_libraries(room: str) -> None:
    code = f"import sys, {room}; print([m for m in {sorted(HEAVY)!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
