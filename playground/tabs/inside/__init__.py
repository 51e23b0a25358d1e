"""The tab Look inside."""
