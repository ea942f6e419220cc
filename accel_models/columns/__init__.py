"""The same model over columns of mappings: thousands at a time, compiled."""
