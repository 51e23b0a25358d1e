"""One model on several processes: each computes its part of every batch, the gradients are summed.

    ddp    every process has the whole model (Li et al. 2020, "PyTorch Distributed")
    fsdp   each has a part of every weight, its gradient and its averages, and block by block they are
           put together for as long as they are needed (Rajbhandari et al. 2020, "ZeRO", stage 3; Zhao
           et al. 2023, "PyTorch FSDP"): for models that do not fit into one GPU

Every loss is divided by what is counted in the whole batch, so the sum over processes is the gradient
of the whole batch, as one process has it. PyTorch's two ways divide by the number of processes, which
`update` makes up for.
"""

# Many of PyTorch's functions have no types yet.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from engine.config import ParallelName
from engine.model.context import Output
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer
from engine.ranks import Ranks

Predict = Callable[[Tensor, "Tensor | None", "Tensor | None"], Output]
"""`Decoder.predict`: tokens, sources, and which tokens are present."""


class Pass(NamedTuple):
    """A forward pass whose backward pass sums the gradients of all processes."""

    forward: Predict
    summing: Callable[[bool], object]
    """Told False, the next passes only add to this process's own gradients: they are summed later."""


class _Predicting(nn.Module):
    """`Decoder.predict` as a module's forward, which is what is made parallel."""

    def __init__(self, model: Decoder, predict: Predict) -> None:
        super().__init__()
        self.model, self.predict = model, predict

    def forward(self, tokens: Tensor, sources: Tensor | None, present: Tensor | None) -> Output:
        return self.predict(tokens, sources, present)


def replicated(model: Decoder, predict: Predict) -> Pass:
    """Sums gradients of whole models. All processes must call it at the same moment."""
    from torch.nn.parallel import DistributedDataParallel

    names = signature(DistributedDataParallel).parameters
    tables = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    options: dict[str, Any] = {tables: False}  # tables of positions, which never change
    copies = DistributedDataParallel(_Predicting(model, predict), **options)

    def summing(on: bool) -> None:
        copies.require_backward_grad_sync = on  # what its `no_sync` sets

    return Pass(cast(Predict, copies), summing)


def sharded(model: Decoder, predict: Predict) -> Pass:
    """Of a model that `placed` has sharded: its modules do the work themselves."""
    return Pass(predict, cast(Any, model).set_requires_gradient_sync)


PARALLELS: dict[ParallelName, Callable[[Decoder, Predict], Pass]] = {
    "ddp": replicated,
    "fsdp": sharded,
}
"""How a model is trained by several processes. Each makes the pass that training uses."""


def placed(model: Decoder, device: torch.device, ranks: Ranks, parallel: ParallelName) -> Decoder:
    """The model on its device; with fsdp, this process's part of every weight.

    Sharded block by block from the CPU's memory, so that the device never holds the whole. A router's
    bias, which no gradient moves, stays whole everywhere.
    """
    if not ranks.together or parallel != "fsdp":
        return model.to(device)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (ranks.size,))
    whole = {weight for weight in model.parameters() if not weight.requires_grad}
    encoder = list(model.encoder.blocks) if isinstance(model, Transformer) else []
    for part in (*encoder, *model.blocks, model):
        fully_shard(part, mesh=mesh, ignored_params=whole)
    register_fsdp_forward_method(model, "predict")
    return model.to(device)


def whole(tensor: Tensor) -> Tensor:
    """A tensor of which each process has a part, put together; any other as it is.

    All processes must call it at the same moment.
    """
    gather: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor.detach() if gather is None else gather().detach()


def part_like(stored: Tensor, tensor: Tensor) -> Tensor:
    """This process's part of a whole stored tensor, as it has a part of `tensor`."""
    if not hasattr(tensor, "full_tensor"):
        return stored
    from torch.distributed.tensor import distribute_tensor

    like = cast(Any, tensor)
    return distribute_tensor(
        stored.to(tensor.device), like.device_mesh, like.placements, src_data_rank=None
    )


def begin_draws(seed: int, step: int, rank: int) -> None:
    """Draw the dropout and noise of one update from its own numbers, others in each process.

    Alone, a run draws from one generator all the way. Of several processes each begins anew at every
    update, so nothing has to be stored of them, and any number may go on from a checkpoint.
    """
    state = np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)
    torch.manual_seed(int(state[0]))
