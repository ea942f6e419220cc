"""Accuracy providers."""
