"""What a search by descent may be told to do, by name: for drivers' options and the code behind. Loads no torch."""

from __future__ import annotations

#: How a layer's arms are mixed (:mod:`codesign.gradient.mixing`).
RELAXATIONS = (
    "softmax", "sigmoid", "sharp", "scheduled", "gumbel_soft", "gumbel_hard", "two_path", "reinforced", "shared"
)  # fmt: skip
#: How the choices of a decision are drawn (:mod:`codesign.gradient.choices`).
DRAWS = ("softmax", "gumbel_soft", "gumbel_hard", "gumbel_two", "even")
#: How logits are updated (:mod:`codesign.gradient.rules`).
RULES = ("adam", "exponentiated")
#: How a limit stands in the loss (:mod:`codesign.gradient.terms`).
LIMIT_TERMS = ("multiplier", "barrier", "window", "exponential")
