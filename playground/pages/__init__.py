"""The dashboard's pages: each file has `show()`, and `common` what they share."""
