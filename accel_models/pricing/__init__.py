"""Exact figures of many designs on our templates at a time: `schedule` and `template`, the definition, compiled."""
