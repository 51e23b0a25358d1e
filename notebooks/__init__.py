"""The lessons as notebooks: each a file of Python with cells, rendered to .ipynb beside it."""
