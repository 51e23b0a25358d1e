"""Each claim of speed or quality in the README is one command here; each prints a table."""
