"""Inspect the internals of a model.

observe          attention maps, logit lens, residual norms and head ablation, from traced forward passes
specialisation   token classes that each expert processes
"""
