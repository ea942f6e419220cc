"""The mechanism of each recipe, by name; see `recipes.py`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import recipes_codesign as codesign
from benchmarks import recipes_compression as compression
from benchmarks import recipes_distributions as distributions
from benchmarks import recipes_networks as networks
from benchmarks import recipes_scaling as scaling
from benchmarks import recipes_shared as shared
from benchmarks.recipes_lines import Bench, Line

MECHANISMS: dict[str, Callable[[Bench], Line]] = {
    "alphax": networks.alphax,
    "amc": compression.amc,
    "amoebanet": networks.amoebanet,
    "asng": distributions.asng,
    "atomnas": compression.atomnas,
    "blockqnn": networks.blockqnn,
    "chamnet": codesign.chamnet,
    "co_exploration": codesign.co_exploration,
    "codesign_nas": codesign.codesign_nas,
    "ddpnas": distributions.ddpnas,
    "dpp_net": networks.dpp_net,
    "efficientnet": scaling.efficientnet,
    "enas": shared.enas,
    "fnas": codesign.fnas,
    "fnass": codesign.fnass,
    "fpga_dnn": codesign.fpga_dnn,
    "fpnet": codesign.fpnet,
    "ghn": shared.ghn,
    "greedynas": shared.greedynas,
    "haq": compression.haq,
    "htas": codesign.htas,
    "hurricane": codesign.hurricane,
    "lemonade": networks.lemonade,
    "local_search": networks.local_search,
    "manas": distributions.manas,
    "mcunet": compression.mcunet,
    "mnasnet": codesign.mnasnet,
    "monas": codesign.monas,
    "moremnas": networks.moremnas,
    "nao": networks.nao,
    "nas_rl": networks.nas_rl,
    "nasbot": networks.nasbot,
    "nasnet": networks.nasnet,
    "netadapt": compression.netadapt,
    "nsganet": networks.nsganet,
    "pnas": networks.pnas,
    "random_search": networks.random_search,
    "smash": shared.smash,
    "software_defined_dse": codesign.software_defined_dse,
    "yoso": codesign.yoso,
}
