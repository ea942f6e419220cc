"""Drivers: how a search proceeds."""
