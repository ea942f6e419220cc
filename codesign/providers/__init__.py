"""Providers: whatever measures designs, cost and accuracy alike."""
