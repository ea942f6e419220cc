"""Search spaces: networks, their compression, hardware, mappings; and the four joined."""
