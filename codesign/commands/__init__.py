"""Public functions behind the commands."""
