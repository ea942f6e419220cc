"""The mechanism of each recipe, by name; see `recipes.py`."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import recipes_carried as carried
from benchmarks import recipes_codesign as codesign
from benchmarks import recipes_compression as compression
from benchmarks import recipes_distributions as distributions
from benchmarks import recipes_federated as federated
from benchmarks import recipes_maps as maps
from benchmarks import recipes_mixed as mixed
from benchmarks import recipes_networks as networks
from benchmarks import recipes_ordered as ordered
from benchmarks import recipes_predicted as predicted
from benchmarks import recipes_relaxed as relaxed
from benchmarks import recipes_sampling as sampling
from benchmarks import recipes_scaling as scaling
from benchmarks import recipes_shared as shared
from benchmarks import recipes_structures as structures
from benchmarks.recipes_lines import Bench, Line

MECHANISMS: dict[str, Callable[[Bench], Line]] = {
    "alphax": networks.alphax,
    "amc": compression.amc,
    "amoebanet": networks.amoebanet,
    "apq": compression.apq,
    "asng": distributions.asng,
    "atomnas": compression.atomnas,
    "auto_deeplab": maps.auto_deeplab,
    "auto_nba": relaxed.auto_nba,
    "autohas": shared.autohas,
    "bignas": sampling.sandwich,
    "blockqnn": networks.blockqnn,
    "auxiliary_cells": maps.auxiliary_cells,
    "bp_nas": relaxed.bp_nas,
    "cars": shared.cars,
    "chamnet": codesign.chamnet,
    "cnas": shared.beside_even,
    "co_exploration": codesign.co_exploration,
    "codesign_nas": codesign.codesign_nas,
    "cream": shared.beside_even,
    "dance": relaxed.dance,
    "darts": mixed.darts,
    "ddpnas": distributions.ddpnas,
    "dense_nas": structures.dense_nas,
    "dense_prediction": maps.dense_prediction,
    "dna_blockwise": shared.dna_blockwise,
    "dna_gradient": relaxed.dna_gradient,
    "dnas_bits": relaxed.dnas_bits,
    "dpp_net": networks.dpp_net,
    "eas": networks.eas,
    "eat_nas": carried.carried,
    "edd": relaxed.edd,
    "efficientnet": scaling.efficientnet,
    "efficientnet_v2": scaling.efficientnet_v2,
    "enas": shared.enas,
    "epnas": shared.epnas,
    "fair_darts": mixed.fair_darts,
    "fairnas": sampling.fairnas,
    "fbnet": mixed.fbnet,
    "fednas": federated.fednas,
    "fnas": codesign.fnas,
    "fnass": codesign.fnass,
    "fpga_dnn": codesign.fpga_dnn,
    "fpnet": codesign.fpnet,
    "gdas": mixed.gdas,
    "ghn": shared.ghn,
    "gnn_predictor": predicted.gnn_predictor,
    "greedynas": shared.greedynas,
    "haq": compression.haq,
    "hat": shared.hat,
    "htas": codesign.htas,
    "hm_nas": structures.hm_nas,
    "hurricane": codesign.hurricane,
    "instanas": shared.instanas,
    "lemonade": networks.lemonade,
    "irlas": ordered.irlas,
    "local_search": networks.local_search,
    "manas": distributions.manas,
    "mcunet": compression.mcunet,
    "mnasnet": codesign.mnasnet,
    "mnms": carried.carried,
    "mobilenet_v3": ordered.mobilenet_v3,
    "monas": codesign.monas,
    "moremnas": networks.moremnas,
    "nao": networks.nao,
    "nas_fpn": maps.nas_fpn,
    "nas_rl": networks.nas_rl,
    "nasbot": networks.nasbot,
    "nascaps": networks.nascaps,
    "nasnet": networks.nasnet,
    "netadapt": compression.netadapt,
    "nsganet": networks.nsganet,
    "ofa": shared.beside_even,
    "one_shot": shared.one_shot,
    "optimizer_search": shared.optimizer_search,
    "p_darts": mixed.p_darts,
    "partial_order": ordered.partial_order,
    "pc_darts": mixed.pc_darts,
    "peephole": predicted.peephole,
    "pnas": networks.pnas,
    "proxy_budget": predicted.proxy_budget,
    "proxylessnas": mixed.proxylessnas,
    "random_search": networks.random_search,
    "scarlet_nas": shared.scarlet_nas,
    "semi_nas": predicted.semi_nas,
    "rcas": ordered.rcas,
    "setn": relaxed.setn,
    "single_path": mixed.single_path,
    "slimmable": sampling.sandwich,
    "smash": shared.smash,
    "snas": mixed.snas,
    "software_defined_dse": codesign.software_defined_dse,
    "squeezenas": maps.squeezenas,
    "spos": shared.hat,
    "srm": predicted.srm,
    "tap": predicted.tap,
    "tas": relaxed.tas,
    "teacher_guided": shared.teacher_guided,
    "transfer_agents": carried.carried,
    "uninet": networks.uninet,
    "xfernas": carried.carried,
    "xnas": mixed.xnas,
    "yoso": codesign.yoso,
}
