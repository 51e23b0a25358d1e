"""Plotly figures from numbers and events; no file here knows PyTorch or a user interface.

one_run        a run's curves, attention and routing
several_runs   several runs in one figure
curves         smoothing, axes, gaps
"""
