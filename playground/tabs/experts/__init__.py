"""The tab Experts."""
