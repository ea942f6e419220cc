"""Synthesis, routing and area of the real hardware with open tools, kept by digest."""
