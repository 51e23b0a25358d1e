"""The dashboard's pages: each file has `show()`, and `common` what they share.

Not in a folder called `pages`: Streamlit would take every file in it for a page of its own, and answer a link to
one before it has read which pages there are.
"""
