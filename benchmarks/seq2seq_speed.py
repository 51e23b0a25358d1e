"""Encoder-decoders: training and greedy decoding, ours against torch.nn.Transformer and transformers' Marian.

    python -m benchmarks.seq2seq_speed

The model is that of Vaswani 2017 with d_model 256, 8 heads, 3 + 3 layers, feed-forward width 1,024 and a shared
vocabulary of 8,000: post-norm, ReLU, sinusoidal positions; weights and tokens are random. A training step has 64 pairs of
32 tokens: forward pass, cross-entropy, backward pass, and PyTorch's fused AdamW for all. Decoding is greedy, from one
sentence of 32 tokens to 32 tokens, with a cache (torch.nn.Transformer has none and is left out). One thread, one
process, interleaved rounds. The table shows medians, and the median ratio of the rounds. The limit is the time of the
matrix products alone. Needs `pip install transformers`.
"""

from __future__ import annotations

import argparse
import math
import statistics
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import MarianConfig, MarianMTModel

from benchmarks.common import CLOCKS, Clock, interleaved, print_table, times_as_fast
from engine.generation.translation import translate
from engine.model.encoder_decoder import Transformer
from engine.tokenizers.marked import BEGIN, END, PAD
from engine.training.devices import keep_freed_memory

WIDTH, HEADS, LAYERS, HIDDEN, VOCABULARY = 256, 8, 3, 1024, 8000
BATCH, LENGTH = 64, 32
LIMIT = "matrix products alone"

Step = Callable[[], object]


def ours(dropout: float) -> Transformer:
    return Transformer(
        VOCABULARY,
        VOCABULARY,
        d_model=WIDTH,
        n_head=HEADS,
        n_encoder_layer=LAYERS,
        n_decoder_layer=LAYERS,
        d_ff=HIDDEN,
        dropout=dropout,
        max_seq_len=2 * LENGTH,
    )


def marian(dropout: float) -> Any:
    return MarianMTModel(
        MarianConfig(
            vocab_size=VOCABULARY,
            d_model=WIDTH,
            encoder_layers=LAYERS,
            decoder_layers=LAYERS,
            encoder_attention_heads=HEADS,
            decoder_attention_heads=HEADS,
            encoder_ffn_dim=HIDDEN,
            decoder_ffn_dim=HIDDEN,
            max_position_embeddings=2 * LENGTH,
            activation_function="relu",
            scale_embedding=True,
            dropout=dropout,
            attention_dropout=dropout,
            pad_token_id=PAD,
            eos_token_id=END,
            forced_eos_token_id=None,
            decoder_start_token_id=BEGIN,
            share_encoder_decoder_embeddings=True,
        )
    )


class TorchTransformer(nn.Module):
    """`torch.nn.Transformer` with embeddings and an output layer, as in its tutorials."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, WIDTH)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(WIDTH))
        self.layers = nn.Transformer(
            WIDTH, HEADS, LAYERS, LAYERS, HIDDEN, dropout, "relu", batch_first=True
        )
        place = torch.arange(2 * LENGTH)[:, None]
        waves = place * 10_000.0 ** (-torch.arange(0, WIDTH, 2) / WIDTH)
        self.waves: Tensor
        self.register_buffer("waves", torch.stack([waves.sin(), waves.cos()], -1).flatten(1))
        mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
        self.register_buffer("mask", mask)
        self.dropout = nn.Dropout(dropout)

    def embed(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(WIDTH) + self.waves[: tokens.shape[1]]
        return self.dropout(x)

    def forward(self, sources: Tensor, tokens: Tensor) -> Tensor:
        states = self.layers(
            self.embed(sources), self.embed(tokens), tgt_mask=self.mask, tgt_is_causal=True
        )
        return states @ self.embedding.weight.T


def training_step(
    model: nn.Module, logits: Callable[[Tensor, Tensor], Tensor], sources: Tensor, batch: Tensor
) -> Step:
    """A training step; `sources` is (B, S), `batch` (B, T + 1)."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    inputs, targets = batch[:, :-1].contiguous(), batch[:, 1:].reshape(-1)
    model.train()

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(logits(sources, inputs).flatten(0, 1), targets).backward()
        optimizer.step()

    return step


def matrix_products() -> Step:
    """The matrix products of one of our steps: each forward product, and two of its size backward."""
    square, wide = (WIDTH, WIDTH), [(WIDTH, HIDDEN), (HIDDEN, WIDTH)]
    encoder, decoder = [(WIDTH, 3 * WIDTH), square, *wide], [square, (WIDTH, 2 * WIDTH), square]
    matrices = LAYERS * (2 * encoder + decoder) + [(WIDTH, VOCABULARY)]
    tokens = BATCH * LENGTH
    linear = [
        (torch.randn(tokens, rows), torch.randn(rows, columns), torch.randn(tokens, columns))
        for rows, columns in matrices
    ]
    narrow = torch.randn(BATCH * HEADS, LENGTH, WIDTH // HEADS)
    scores = torch.randn(BATCH * HEADS, LENGTH, LENGTH)

    def step() -> None:
        for x, weight, change in linear:
            torch.mm(x, weight)
            torch.mm(change, weight.T)
            torch.mm(x.T, change)
        for _ in range(3 * LAYERS):
            for _ in range(2):  # scores and mixing, each with its two gradients
                torch.bmm(narrow, narrow.mT)
                torch.bmm(scores, narrow)
                torch.bmm(scores.mT, narrow)

    return step


def training(dropout: float, rounds: int, clock: Clock) -> None:
    """Print the table of training."""
    sources = torch.randint(4, VOCABULARY, (BATCH, LENGTH))
    batch = torch.randint(4, VOCABULARY, (BATCH, LENGTH + 1))
    mine, library, theirs = ours(dropout), TorchTransformer(dropout), marian(dropout)

    def marian_logits(sources: Tensor, tokens: Tensor) -> Tensor:
        return theirs(input_ids=sources, decoder_input_ids=tokens, use_cache=False).logits

    steps = {
        "ours": training_step(mine, mine, sources, batch),
        "torch.nn.Transformer": training_step(library, library, sources, batch),
        "transformers Marian": training_step(theirs, marian_logits, sources, batch),
        LIMIT: matrix_products(),
    }
    seconds = interleaved(steps, rounds, clock=clock)
    rows: list[list[str]] = []
    for title, taken in seconds.items():
        median = statistics.median(taken)
        ratio = times_as_fast(seconds["ours"], taken)
        pairs = f"{BATCH / median:,.0f}"
        rows.append([title, pairs, f"{median * 1e3:.0f}", f"{ratio:.2f} x"])
    print_table(["training", "pairs/s", "ms/step", "ours is faster by"], rows)


def decoding(rounds: int, clock: Clock) -> None:
    """Print the table of greedy decoding of one sentence."""
    source = torch.randint(4, VOCABULARY, (1, LENGTH))
    mine, theirs = ours(0.0).eval(), marian(0.0).eval()
    with torch.no_grad():
        mine.embedding.weight[END] = 0  # neither ends before it has generated all tokens

    def our_translation() -> None:
        (found,) = translate(mine, source.tolist(), max_new_tokens=LENGTH)
        assert len(found.tokens) == LENGTH

    def their_translation() -> None:
        found = theirs.generate(
            input_ids=source,
            attention_mask=torch.ones_like(source),
            min_new_tokens=LENGTH,
            max_new_tokens=LENGTH,
            num_beams=1,
            do_sample=False,
        )
        assert found.shape[1] == LENGTH + 1

    seconds = interleaved(
        {"ours": our_translation, "transformers generate": their_translation}, rounds, clock=clock
    )
    rows: list[list[str]] = []
    for title, taken in seconds.items():
        median = statistics.median(taken) / LENGTH
        ratio = times_as_fast(seconds["ours"], taken)
        rows.append([title, f"{1 / median:,.0f}", f"{median * 1e3:.2f}", f"{ratio:.2f} x"])
    print_table(["one sentence, greedily", "tokens/s", "ms/token", "ours is faster by"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--dropout", type=float, default=0.0)
    parser.add_argument("--clock", choices=CLOCKS, default="wall", help="cpu: for a busy machine")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    keep_freed_memory()
    clock = CLOCKS[arguments.clock]
    training(arguments.dropout, arguments.rounds, clock)
    print()
    decoding(arguments.rounds, clock)


if __name__ == "__main__":
    main()
