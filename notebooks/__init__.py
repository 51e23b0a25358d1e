"""The lessons as notebooks: Python files with cells, rendered to .ipynb files."""
