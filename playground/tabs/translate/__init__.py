"""The tab Translate."""
