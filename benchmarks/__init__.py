"""Each claim of speed or quality in docs/benchmarks.md is one command here; each prints a table."""
