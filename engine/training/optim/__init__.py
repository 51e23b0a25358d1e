"""Optimizers, gradient clipping and learning-rate schedules.

base         the contract: averages of each parameter, and the loop over parameter groups
sgd, adamw, lion, muon   one optimizer each, with its equations
groups       the parameters of a model, by their role
configured   `OPTIMIZERS`, and the optimizer that a configuration asks for
clipping     gradients by their norm
rates        learning-rate schedules

The optimizers are `torch.optim.Optimizer`s. AdamW, SGD, clipping and schedules equal PyTorch's in value, and
a `state_dict` of AdamW or SGD can be loaded into PyTorch's, and the other way round. Muon equals
`torch.optim.Muon(adjust_lr_fn="match_rms_adamw")` up to precision: ours orthogonalizes in fp32, PyTorch's in
bfloat16. Its `state_dict` loads in neither direction: the settings have other names.
"""

from __future__ import annotations

from engine.training.optim.adamw import AdamW
from engine.training.optim.base import Optimizer
from engine.training.optim.clipping import clip_grad_norm
from engine.training.optim.configured import OPTIMIZERS, make_optimizer
from engine.training.optim.groups import Kind, kind_of, parameter_groups, rows_of
from engine.training.optim.lion import Lion
from engine.training.optim.muon import NEWTON_SCHULZ, Muon, newton_schulz, orthogonalized
from engine.training.optim.rates import learning_rate, rate_factors, set_rates
from engine.training.optim.sgd import SGD

__all__ = [
    "NEWTON_SCHULZ", "OPTIMIZERS", "SGD", "AdamW", "Kind", "Lion", "Muon", "Optimizer",
    "clip_grad_norm", "kind_of", "learning_rate", "make_optimizer", "newton_schulz", "orthogonalized",
    "parameter_groups", "rate_factors", "rows_of", "set_rates",
]  # fmt: skip
