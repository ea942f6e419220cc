"""Learned models of what networks and designs measure: fitted to some points, asked of others."""
