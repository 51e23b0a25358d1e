"""The zip of a run: how files are added, and the script in it that uses the model."""

from __future__ import annotations

import shutil
import zipfile
from typing import IO


def add_file(archive: zipfile.ZipFile, name: str, content: IO[bytes]) -> None:
    """Add a file to a zip with the default date 1980-01-01: the format has no dates before 1980 or after 2107."""
    with archive.open(name, "w", force_zip64=True) as file:
        shutil.copyfileobj(content, file, 1 << 20)


GENERATE_SCRIPT = '''\
"""Generate text from a prompt with this run's model.

Run it from the project's folder, which contains `engine/`, with the requirements installed:

    python path/to/this/generate.py "Once upon a time"
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

import torch

from engine import Sampler, generate, load_model
from engine.data.reading import ended_lines
from engine.tokenizers import TextStream

model, tokenizer, config = load_model(Path(__file__).parent / "STEP")
start = "\\n" if "\\n" in tokenizer.pieces else tokenizer.pieces[0]
prompt = ended_lines(" ".join(sys.argv[1:])) or start
ids = tokenizer.encode(prompt)
ends = {token for token, piece in enumerate(tokenizer.pieces) if piece == "<end>"}
generator = torch.Generator().manual_seed(0)

print(prompt, end="")
stream = TextStream(tokenizer)
for step in generate(model, ids, 200, Sampler(temperature=0.8), generator, stop=ends):
    if step.token >= tokenizer.vocab_size:  # a model may have more tokens than its tokenizer
        print(stream.end() + "\\ufffd", end="", flush=True)
    elif step.token not in ends:
        print(stream.feed([step.token]), end="", flush=True)
print(stream.end())
'''


TRANSLATE_SCRIPT = '''\
"""Translate a text with this run's model.

Run it from the project's folder, which contains `engine/`, with the requirements installed:

    python path/to/this/translate.py "a text to translate"
"""

import sys
from pathlib import Path

sys.path.append(str(Path.cwd()))

from engine import beam_search, load_model
from engine.data.pairs import source_ids

model, tokenizer, config = load_model(Path(__file__).parent / "STEP")
text = " ".join(sys.argv[1:])
if not text.strip():
    sys.exit("Give a text to translate.")
best = beam_search(model, [source_ids(tokenizer, text)], beams=4)[0].found[0]
print(tokenizer.decode(token for token in best.text if token < tokenizer.vocab_size))
'''
