"""Models of other people's machines, and MAESTRO's semantics."""
