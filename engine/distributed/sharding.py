"""One model on several processes: each computes its rows of every batch, and gradients are summed.

    ddp    every process has the complete model (Li et al. 2020, "PyTorch Distributed")
    fsdp   every process has a shard of each weight, of its gradient and of its optimizer averages. The
           full weights are gathered block by block while they are needed (Rajbhandari et al. 2020,
           "ZeRO", stage 3; Zhao et al. 2023, "PyTorch FSDP"): for models that do not fit into one GPU

Every loss is divided by the targets of the global batch, so the sum of gradients over processes is the
gradient of the global batch. DDP and FSDP average gradients; `accumulate_gradients` multiplies the loss
by the number of processes to make it a sum.
"""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from engine.config import ParallelName
from engine.distributed.ranks import Ranks
from engine.model.context import Output
from engine.model.decoder import Decoder
from engine.model.encoder_decoder import Transformer

Predict = Callable[[Tensor, "Tensor | None", "Tensor | None"], Output]
"""`Decoder.predict`: tokens, sources, and which tokens are present."""


class Distributed(NamedTuple):
    """A forward pass whose backward pass averages gradients over processes."""

    predict: Predict
    sync_gradients: Callable[[bool], None]
    """With False, backward passes only add to the gradients of this process, until it is set True."""


class _Predicting(nn.Module):
    """`Decoder.predict` as the forward of a module, which DDP needs."""

    def __init__(self, model: Decoder, predict: Predict) -> None:
        super().__init__()
        self.model, self.predict = model, predict

    def forward(self, tokens: Tensor, sources: Tensor | None, present: Tensor | None) -> Output:
        return self.predict(tokens, sources, present)


def replicated(model: Decoder, predict: Predict) -> Distributed:
    """DDP: average the gradients of complete models. All processes must call it at the same moment."""
    from torch.nn.parallel import DistributedDataParallel

    names = signature(DistributedDataParallel).parameters
    tables = "forward_sync_buffers" if "forward_sync_buffers" in names else "broadcast_buffers"
    options: dict[str, Any] = {tables: False}  # buffers are tables of positions: they never change
    copies = DistributedDataParallel(_Predicting(model, predict), **options)

    def sync_gradients(on: bool) -> None:
        copies.require_backward_grad_sync = on  # what its `no_sync` sets

    return Distributed(cast(Predict, copies), sync_gradients)


def sharded(model: Decoder, predict: Predict) -> Distributed:
    """FSDP of a model that `placed` has sharded: its modules communicate by themselves."""
    return Distributed(predict, cast(Any, model).set_requires_gradient_sync)


PARALLELS: dict[ParallelName, Callable[[Decoder, Predict], Distributed]] = {
    "ddp": replicated,
    "fsdp": sharded,
}
"""The two ways to train a model on several processes; each returns the pass that training uses."""


def placed(model: Decoder, device: torch.device, ranks: Ranks, parallel: ParallelName) -> Decoder:
    """Move the model to its device; with fsdp, only this process's shard of every weight.

    Sharding starts from the CPU's memory, block by block, so the device never holds the complete model. A
    router's bias has no gradient and stays unsharded in every process.
    """
    if not ranks.together or parallel != "fsdp":
        return model.to(device)
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(device.type, (ranks.size,))
    kept = {weight for weight in model.parameters() if not weight.requires_grad}
    encoder = list(model.encoder.blocks) if isinstance(model, Transformer) else []
    for part in (*encoder, *model.blocks, model):
        fully_shard(part, mesh=mesh, ignored_params=kept)
    register_fsdp_forward_method(model, "predict")
    return model.to(device)


def unshard(tensor: Tensor) -> Tensor:
    """Gather a sharded tensor from all processes; any other tensor is returned as it is.

    All processes must call it at the same moment.
    """
    gather: Callable[[], Tensor] | None = getattr(tensor, "full_tensor", None)
    return tensor.detach() if gather is None else gather().detach()


def part_like(stored: Tensor, tensor: Tensor) -> Tensor:
    """The shard of a stored tensor that this process needs, sharded like `tensor`."""
    if not hasattr(tensor, "full_tensor"):
        return stored
    from torch.distributed.tensor import distribute_tensor

    like = cast(Any, tensor)
    return distribute_tensor(
        stored.to(tensor.device), like.device_mesh, like.placements, src_data_rank=None
    )
