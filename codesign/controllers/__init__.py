"""Controllers: who proposes what to look at next."""

from codesign.controllers.controller import Controller, ControllerContext, Told
from codesign.controllers.registry import CONTROLLERS, make_controller

__all__ = ["CONTROLLERS", "Controller", "ControllerContext", "Told", "make_controller"]
