"""Published machines, one file each: a description, what it adds to the engine, and the source of each figure."""
