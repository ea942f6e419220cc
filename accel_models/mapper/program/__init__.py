"""Mappings of our templates: the legal tiles of a layer, and the search of the best for the exact program."""

from accel_models.mapper.program.search import OBJECTIVES, LayerSearch, ProgramSearch, best_program
from accel_models.mapper.program.space import TileSpace, tile_space

__all__ = ["OBJECTIVES", "LayerSearch", "ProgramSearch", "TileSpace", "best_program", "tile_space"]
