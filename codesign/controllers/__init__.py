"""Controllers: each is an Optuna sampler, found by name."""

from codesign.controllers.base import CONTROLLERS, ControllerContext, ControllerFactory, Reward, make_sampler

__all__ = ["CONTROLLERS", "ControllerContext", "ControllerFactory", "Reward", "make_sampler"]
