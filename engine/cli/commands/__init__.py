"""The commands of `python -m engine`, one file per command or pair of commands."""
