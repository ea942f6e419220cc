"""Network spaces: decisions, the workload that a point stands for, and its trainable module."""
