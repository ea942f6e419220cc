"""Accuracy, measured: data, training, weight sharing, and a cache by network digest."""
