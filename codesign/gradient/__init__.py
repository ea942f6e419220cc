"""Relaxed choices: a space as one differentiable network, and a discrete one derived from it."""
