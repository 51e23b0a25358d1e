"""Choose device, precision and threads, and refuse impossible choices.

Every refusal is a `ConfigError` with the field, its value and the reason.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter

import torch

from engine.config import TrainConfig
from engine.distributed.ranks import ALONE, Ranks
from engine.validation import ConfigError, Problem

DTYPES: dict[str, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}

ISA_LIMIT, WITHOUT_AMX = "ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16"
"""The environment variable that limits oneDNN's instruction set, and its highest value without AMX."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""From glibc's malloc.h; the maximum of the second is 32 MiB."""


def available_devices() -> list[str]:
    """Available devices, the fastest first: CUDA, Apple's MPS, the CPU."""
    found = ["cuda"] if torch.cuda.is_available() else []
    if torch.backends.mps.is_available():
        found.append("mps")
    return [*found, "cpu"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of this name; "auto" is the fastest available. Raises `ConfigError`."""
    found = available_devices()
    if name == "auto":
        return torch.device(found[0])
    if name not in found:
        raise _refused("device", name, f"is not on this machine; it has {', '.join(found)}")
    return torch.device(name)


def check_dtype(name: str, device: torch.device) -> None:
    """Raises `ConfigError` if the device cannot compute in this precision, or only far slower."""
    if name == "fp32":
        return
    if device.type == "cpu" and name == "fp16":
        raise _refused("dtype", name, "needs a GPU: on a CPU it is slower than fp32; choose fp32")
    if device.type == "cpu" and not cpu_has_bf16():
        reason = (
            "this processor has no bf16 instructions, and doing without is about ten times slower "
            "than fp32; choose fp32"
        )
        raise _refused("dtype", name, reason)
    if device.type == "cpu":
        avoid_broken_amx()
    if device.type == "cuda" and name == "bf16" and not torch.cuda.is_bf16_supported(False):
        raise _refused("dtype", name, "this GPU has no bf16 arithmetic; choose fp16 or fp32")
    if device.type == "mps":
        try:
            square = torch.ones(2, 2, device=device, dtype=DTYPES[name])
            torch.mm(square, square)
        except (RuntimeError, TypeError) as error:
            raise _refused(
                "dtype", name, f"is not available with MPS on this machine: {error}"
            ) from None


def cpu_has_bf16() -> bool:
    """Whether the processor has bf16 products (AVX-512 BF16, AMX, Arm BF16)."""
    return any(has for name, has in cpu_capabilities().items() if "bf16" in name)


def cpu_capabilities() -> Mapping[str, object]:
    """Capabilities of the processor by name, from PyTorch; empty before PyTorch 2.10."""
    ask: Callable[[], Mapping[str, object]] | None = getattr(torch.cpu, "get_capabilities", None)
    return ask() if ask is not None else {}


def avoid_broken_amx() -> None:
    """Disable AMX for bf16 products if the processor announces it but kills processes that use it.

    Some virtual machines do so (seen under Firecracker). A small process tries it once. oneDNN reads the
    environment variable that limits its instruction set at its first product.
    """
    if ISA_LIMIT in os.environ or not cpu_capabilities().get("amx_bf16"):
        return
    code = "import torch; a = torch.ones(64, 64, dtype=torch.bfloat16); a @ a"
    if subprocess.run([sys.executable, "-c", code], capture_output=True).returncode:
        os.environ[ISA_LIMIT] = WITHOUT_AMX


def check_compile(device: torch.device) -> None:
    """Raises `ConfigError` if `torch.compile` finds no compiler."""
    if device.type == "cuda":
        if find_spec("triton") is None:
            raise _refused(
                "compile", True, "needs the package triton for a GPU: pip install triton"
            )
        return
    wanted = [os.environ["CXX"]] if os.environ.get("CXX") else ["g++", "clang++", "c++", "cl"]
    if not any(map(shutil.which, wanted)):
        raise _refused("compile", True, f"needs a C++ compiler ({', '.join(wanted)}); none is here")
    if not (Path(sysconfig.get_path("include")) / "Python.h").is_file():
        raise _refused("compile", True, "needs Python's header files (python3-dev, python3-devel)")


def prepare(config: TrainConfig, ranks: Ranks = ALONE) -> torch.device:
    """The device of a run, after checking its configuration. Raises `ConfigError`.

    With several processes, each has the GPU of its local rank.
    """
    device = choose_device(config.device)
    check_dtype(config.dtype, device)
    if config.compile:
        check_compile(device)
    if ranks.together:
        check_ranks(config, device, ranks)
        if device.type == "cuda":
            torch.cuda.set_device(ranks.local)
            return torch.device("cuda", ranks.local)
    return device


def check_ranks(config: TrainConfig, device: torch.device, ranks: Ranks) -> None:
    """Raises `ConfigError` for a configuration that several processes cannot train.

    With `batch_tokens`, a batch has no fixed number of pairs and is divided as evenly as possible.
    """
    if config.batch_size % ranks.size and config.batch_tokens is None:
        allowed = (
            f"must be a multiple of torchrun's {ranks.size} processes, which share each batch, "
            f"such as {ranks.size * -(-config.batch_size // ranks.size)}"
        )
        raise _refused("batch_size", config.batch_size, allowed)
    if config.compile and config.parallel == "fsdp":
        raise _refused("compile", True, "does not work with fsdp; choose ddp, or turn compile off")
    if config.optimizer == "muon" and config.parallel == "fsdp" and ranks.size > 1:
        allowed = "does not work with fsdp, whose processes have a part of each matrix; choose ddp, or adamw"
        raise _refused("optimizer", config.optimizer, allowed)
    if config.ema_decay and config.parallel == "fsdp":
        allowed = "must be 0 with fsdp: a copy of the model that holds the average is not sharded; choose ddp"
        raise _refused("ema_decay", config.ema_decay, allowed)
    if device.type == "mps":
        allowed = "MPS serves one process; choose cpu, or go without torchrun"
        raise _refused("device", config.device, allowed)
    if device.type == "cuda" and ranks.beside > torch.cuda.device_count():
        allowed = (
            f"this machine has {torch.cuda.device_count()} GPUs for its {ranks.beside} processes; "
            "start fewer (--nproc_per_node), or choose cpu"
        )
        raise _refused("device", config.device, allowed)


def precision(device: torch.device, dtype: str) -> AbstractContextManager[object]:
    """The context in which a forward pass computes its matrix products in this precision.

    Micikevicius et al. 2018, "Mixed Precision Training": weights, their updates, norms and the loss
    stay in fp32.
    """
    return nullcontext() if dtype == "fp32" else torch.autocast(device.type, DTYPES[dtype])


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory for the next step. False if the C library is another one.

    By default, freed memory returns to the system, which zeroes every page before it gives it out again:
    a sixth of a small model's step (`benchmarks.train_speed --no_keep`).
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError, TypeError):
        return False
    return all([mallopt(M_TRIM_THRESHOLD, 1 << 30), mallopt(M_MMAP_THRESHOLD, 32 << 20)])


def cpu_count() -> int:
    """Number of processors that this process may use, at most OpenMP's OMP_THREAD_LIMIT."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity is not None else os.cpu_count() or 1
    limit = os.environ.get("OMP_THREAD_LIMIT", "")
    return min(count, max(1, int(limit))) if limit.isdecimal() else count


def measure_threads(
    step: Callable[[], object], seconds: float = 0.3
) -> tuple[int, dict[int, float]]:
    """The currently fastest number of threads, and the seconds of a step with each tried number.

    Tries 1, 2, 4, ... and all processors, alternating, for about `seconds`. More threads must be 10%
    faster to be chosen, since threads that wait for a busy processor can be many times slower. A few
    small products exclude such numbers first, since a complete step could take seconds. Sets PyTorch's
    number of threads to the result.

    Args:
        step: does the work of a training step and changes nothing.
    """
    limit = cpu_count()
    more = [n for n in (2**power for power in range(1, limit.bit_length())) if n < limit]
    candidates = [1, *(n for n in [*more, limit] if n > 1 and processors_are_free(n))]
    torch.set_num_threads(1)
    if len(candidates) == 1:
        return 1, {}
    spent: dict[int, list[float]] = {threads: [] for threads in candidates}
    step()  # the first call allocates memory and is slower
    begun = perf_counter()
    while not spent[1] or perf_counter() - begun < seconds:
        for threads in candidates:
            torch.set_num_threads(threads)
            start = perf_counter()
            step()
            spent[threads].append(perf_counter() - start)
    mean = {threads: sum(times) / len(times) for threads, times in spent.items()}
    chosen = 1
    for threads in candidates[1:]:
        if mean[threads] < 0.9 * mean[chosen]:
            chosen = threads
    torch.set_num_threads(chosen)
    return chosen, mean


def processors_are_free(threads: int, products: int = 8) -> bool:
    """Do `threads` threads currently multiply matrices faster than one thread?

    Stops as soon as they have taken as long as one thread. Sets PyTorch to one thread.
    """
    a = torch.ones(384, 384)
    times: dict[int, float] = {}
    for count in (1, threads):
        torch.set_num_threads(count)
        torch.mm(a, a)  # starts the threads
        start = perf_counter()
        for _ in range(products):
            torch.mm(a, a)
            times[count] = perf_counter() - start
            if times[count] > times[1]:
                break
    torch.set_num_threads(1)
    return times[threads] < times[1]


def _refused(field: str, value: object, reason: str) -> ConfigError:
    return ConfigError([Problem(field, value, reason)])
