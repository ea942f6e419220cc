"""Exact figures of many designs on our templates at a time: the readable path of `schedule` and `template`, compiled."""
