"""Mappings that were found are kept by the digest of the question, which counts the code that answers it."""

from __future__ import annotations

from accel_models.answers import Answers
from accel_models.jit import code_version
from mappings.yamlio import digest

MAPPINGS = Answers("mappings", "mappings are")


def key_of(layer: str, accelerator: str, dataflow: str, objective: str, tiles: str) -> str:
    """Key of a question: digests of layer and accelerator, dataflow (digest or "any"), objective, kind of tiles."""
    return digest([layer, accelerator, dataflow, objective, tiles, code_version()])
