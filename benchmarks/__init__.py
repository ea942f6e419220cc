"""Speed and quality figures of the project, one command each."""
