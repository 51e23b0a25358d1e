"""The tab Tokens."""
