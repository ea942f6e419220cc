"""Recipes: what ships is sound, what is wrong is told, all of it, before anything heavy is loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from accel_models.template.spec import Template
from codesign.explorer.options import ExploreOptions, prepare
from codesign.recipe import Part, Recipe, load_recipe, parse_recipe, recipe_names, variant_names
from mappings.errors import SpecError
from mappings.yamlio import dump_yaml, load_yaml_text

NAMES = [*recipe_names(), *(f"{name}:{variant}" for name in recipe_names() for variant in variant_names(name))]


@pytest.mark.parametrize("name", NAMES)
def test_shipped_recipes_survive_a_round_trip(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name and recipe.summary
    again = parse_recipe(load_yaml_text(recipe.dump(), "again"), "again")
    assert again.to_dict() == recipe.to_dict() and again.digest == recipe.digest
    assert recipe.space.decisions.size > max(recipe.trials, 200)  # a search does not see the whole space


def test_every_key_of_a_recipe_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    assert not [key for key in load_recipe().to_dict() if f"`{key}`" not in page]


def test_the_default_is_the_default_recipe() -> None:
    assert load_recipe().controller == Part("nsga2") and load_recipe().device == "zynq7020"
    assert {"default", "random", "tpe", "reinforce", "systolic"} <= set(recipe_names())


def test_overrides_replace_and_are_checked() -> None:
    recipe = load_recipe("default", {"trials": 5, "seed": None, "device": "zcu102"})
    assert recipe.trials == 5 and recipe.seed == 0 and recipe.device == "zcu102"
    with pytest.raises(SpecError, match='unknown device "zyng7020", did you mean "zynq7020"'):
        load_recipe("default", {"device": "zyng7020"})
    with pytest.raises(SpecError, match="trials: is 0"):
        load_recipe("default", {"trials": 0})


def _read_file(path: Path, raw: dict[str, object]) -> Recipe:
    path.write_text(dump_yaml(raw), encoding="utf-8")
    return load_recipe(str(path))


def test_all_faults_at_once(tmp_path: Path) -> None:
    raw = {"contoller": "nsga2", "trials": True, "network": 7, "choices": [1], "providers": ["a", {"b": 1}]}
    with pytest.raises(SpecError) as caught:
        parse_recipe(raw, "mine.yaml")
    text = str(caught.value)
    assert 'unknown key "contoller", did you mean "controller"' in text
    assert "mine.yaml.network" in text and "mine.yaml.choices" in text and "mine.yaml.providers[1]" in text
    assert "mine.yaml.trials: is True" in text
    for read in (parse_recipe, lambda raw, where: _read_file(tmp_path / where, raw)):
        with pytest.raises(SpecError) as both:  # what cannot be read, and what is wrong in the rest
            read({"colour": "red", "device": "zynq7020s", "batch": 0, "objectives": ["acuracy"]}, "its.yaml")
        text = str(both.value)
        for part in ('unknown key "colour"', '"zynq7020s", did you mean "zynq7020"', "batch: is 0", 'mean "accuracy"'):
            assert part in text, part
    with pytest.raises(SpecError) as names:
        Recipe(
            controller=Part("nsga"),
            providers=(Part("shedule"), Part("train", (("search_steps", 0), ("deploy_step", 3)))),
            hardware=Part("template"),
            objectives=("acuracy",),
            batch=0,
        ).check("r")
    text = str(names.value)
    for part in (
        'unknown controller "nsga", did you mean',
        '"schedule"',
        '"templates"',
        'mean "accuracy"',
        "r.batch",
        "providers[1].search_steps: is",
    ):
        assert part in text, part
    assert 'unknown option "deploy_step", did you mean "deploy_steps"' in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": (("accuracy", 95.0),)}, "limits.accuracy: is 95 (allowed: 0 to 1)"),
        ({"limits": (("latency_ms", -1.0),)}, "limits.latency_ms: is -1 (allowed: 0 or more)"),
        ({"limits": (("area_mm2", 3.0),)}, "limits: no provider of the recipe gives area_mm2 on zynq7020"),
        ({"objectives": ("accuracy", "area_mm2")}, "gives area_mm2 on zynq7020"),
        ({"providers": (Part("schedule"),)}, "objectives: no provider of the recipe gives accuracy"),
        ({"network": Part("fixed", (("network", "resnet20"),))}, '"train" needs "trainable", which none of'),
        ({"providers": (Part("schedule"), Part("size"), Part("size"))}, 'gives macs, which "size" gives already'),
        ({"controllers": (("mapping", Part("random")),)}, 'asks no controller for "mapping"'),
        ({"choices": (("rows", (5,)),)}, "choices.rows: is [5]"),
        (
            {"driver": Part("halving"), "providers": (Part("schedule"),), "objectives": ("latency_ms",)},
            'driver: "halving" needs "fidelity", which none of',
        ),
        ({"reward": Part("soft_constraint", (("targt", 1.0),))}, 'unknown option "targt", did you mean "target"'),
        ({"reward": Part("soft_constraint", (("target", 0.0),))}, "reward.target: is 0 (allowed: above 0)"),
        (
            {"reward": Part("specifications", (("bounds", (("dsp", -1.0),)),))},
            "reward.bounds.dsp: is -1 (allowed: above",
        ),
        (
            {"reward": Part("weighted_sum", (("scales", (("dsp", 0.0),)),))},
            "reward.scales.dsp: is 0 (allowed: above 0)",
        ),
        ({"reward": Part("tchebycheff", (("scales", (("dsp", 0.0),)),))}, "reward.scales.dsp: is 0 (allowed: above 0)"),
        (
            {
                "driver": Part("nested"),
                "choices": (),
                "hardware": Part("fixed", (("hardware", "attention"),)),
                "mapping": Part("default"),
            },
            '"nested" searches the hardware apart, of which the space decides nothing',
        ),
        ({"controller": Part("nsga3", (("population", 1),))}, "population: is 1 (allowed: 0, for a batch, or an"),
        ({"reward": Part("weighted_sum", (("weights", (("area_mm2", 1.0),)),))}, "reward: no provider"),
    ],
)
def test_parts_that_do_not_go_together_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        Recipe(**changes).check("r")  # type: ignore[arg-type]
    assert message in str(caught.value)


def test_a_metric_has_one_limit() -> None:
    with pytest.raises(SpecError, match=r'--limit: bounds "dsp" twice'):
        prepare(ExploreOptions(limits=("dsp=9", "lut=7", "dsp=10")))


def test_a_recipe_extends_another_and_has_variants(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "name: mine\nextends: joint:alternate\nseed: 7\nvariants:\n  wide:\n    trials: 60\n    limits: {dsp: 50}\n",
        encoding="utf-8",
    )
    recipe = load_recipe(str(file))
    assert recipe.driver.name == "alternate" and recipe.seed == 7 and recipe.trials == 120
    wide = load_recipe(f"{file}:wide")
    assert wide.trials == 60 and wide.limits == (("dsp", 50.0),) and wide.name == "mine:wide"
    with pytest.raises(SpecError, match='unknown variant "wid", did you mean "wide"'):
        load_recipe(f"{file}:wid")
    file.write_text(f"extends: {file}\n", encoding="utf-8")
    with pytest.raises(SpecError, match="not in a circle"):
        load_recipe(str(file))


def test_the_digest_is_of_what_matters() -> None:
    base = load_recipe()
    assert load_recipe("default", {"trials": 7}).digest == base.digest
    for changes in ({"seed": 1}, {"controller": "random"}, {"limits": {"dsp": 100}}, {"device": "zcu102"}):
        assert load_recipe("default", changes).digest != base.digest


def test_a_network_by_name_is_priced_as_it_is() -> None:
    recipe = load_recipe("joint", {"network": "mobilenet_v2"})
    assert recipe.network == Part("fixed", (("network", "mobilenet_v2"),)) and recipe.hardware.name == "templates_full"
    assert [part.name for part in recipe.providers] == ["schedule"] and "accuracy" not in recipe.objectives
    assert recipe.space.networks == 1
    with pytest.raises(SpecError, match='unknown network "mobilenetv2", did you mean "mobilenet_v2"'):
        load_recipe("default", {"network": "mobilenetv2"})


def test_one_accelerator_fixes_the_widths_of_data(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(dump_yaml(Template(rows=8, cols=8, act_bits=4, weight_bits=8).to_dict()), encoding="utf-8")
    recipe = load_recipe("systolic", {"hardware": str(file)})
    assert recipe.choices == () and recipe.space.accelerators == 5 * 4
    (candidate,) = recipe.space.decode([recipe.space.decisions.draw(np.random.default_rng(0))])
    assert candidate.hardware == Template(rows=8, cols=8, act_bits=4, weight_bits=8)
    assert candidate.design is not None
    file.write_text("array: weight_stationery\n", encoding="utf-8")
    with pytest.raises(SpecError, match='did you mean "weight_stationary"'):
        load_recipe("default", {"hardware": str(file)})


def test_a_typo_is_told_without_loading_torch_or_optuna() -> None:
    code = (
        "import sys\nfrom codesign.recipe import load_recipe\ntry:\n    load_recipe('defualt')\n"
        "except ValueError as error:\n    print(error)\nload_recipe()\n"
        "print('torch' in sys.modules, 'optuna' in sys.modules)\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 'did you mean "default"' in said and said.splitlines()[-1] == "False False"


def test_an_envelope_is_of_its_own_device() -> None:
    with pytest.raises(SpecError, match='device: is "zynq7020", and the envelope "edgetpu" of'):
        load_recipe("naas", {"device": "zynq7020"})


def test_one_accelerator_is_on_the_device_of_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "board.yaml").write_text(
        "kind: asic\ntechnology: asic_28nm\nfigures: {area_mm2: [9, x], power_mw: [1, x]}"
    )
    (folder / "mine.yaml").write_text("device: board.yaml\ntemplate: {array: weight_stationary, rows: 8, cols: 8}")
    assert load_recipe("joint", {"hardware": "elsewhere/mine.yaml"}).device == "elsewhere/board.yaml"
    asked = load_recipe("joint", {"hardware": "elsewhere/mine.yaml", "device": "zcu104"})
    assert asked.device == "zcu104"
    (folder / "mine.yaml").write_text("devise: x\ntemplate: {array: weight_stationary, rows: 8, cols: 8}")
    with pytest.raises(SpecError, match='unknown key "devise", did you mean "device"'):
        load_recipe("joint", {"hardware": "elsewhere/mine.yaml"})
