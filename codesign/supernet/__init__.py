"""Weight sharing: one set of parameters for every network of a space."""
