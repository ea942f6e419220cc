"""Cost providers."""
