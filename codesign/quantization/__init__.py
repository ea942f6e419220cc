"""Quantisation: of trained modules (post-training) and while training, and the integer arithmetic in PyTorch."""
