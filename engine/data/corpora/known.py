"""The public corpora that `download` knows: where they are, their sizes, checksums and terms. None is in this repository.

shakespeare  Tiny Shakespeare: 40,000 lines of the plays, from https://github.com/karpathy/char-rnn.
             The works are in the public domain.
multi30k     Multi30K (Elliott 2016, "Multi30K: Multilingual English-German Image Descriptions"):
             captions of pictures and their translations, from https://github.com/multi30k/dataset
             and under the terms of Flickr30K: for non-commercial research and education.
tinystories  TinyStories (Eldan 2023, "TinyStories: How Small Can Language Models Be and Still Speak
             Coherent English?"): 2.7 million stories that GPT-4 wrote, in the words of small children,
             from https://huggingface.co/datasets/roneneldan/TinyStories, under CDLA-Sharing-1.0.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from engine.data.base import DataError

SITE = "https://raw.githubusercontent.com"
HUB = "https://huggingface.co"
"""The sites of the corpora; a mirror has the same paths."""

MARGIN = 2**12
"""Bytes by which a gzip file may be longer than its content: header and trailer."""


@dataclass(frozen=True)
class KnownFile:
    """One file of a corpus: its path, size and checksum."""

    name: str
    source: str
    """Path on the site. A .gz file is unpacked."""
    size: int
    """Size in bytes, after unpacking."""
    sha256: str
    """Checksum of the same bytes, in hexadecimal."""
    site: str = SITE

    @property
    def gzipped(self) -> bool:
        """Whether it is downloaded as gzip."""
        return self.source.endswith(".gz")

    @property
    def limit(self) -> int:
        """The maximum number of bytes that are accepted from a server."""
        return self.size + (MARGIN if self.gzipped else 0)


@dataclass(frozen=True)
class Known:
    """A corpus that can be downloaded by its name."""

    name: str
    terms: str
    """Its source and licence."""
    files: tuple[KnownFile, ...]
    uses: tuple[str, ...]
    """Commands that use it: words after `python -m engine`, with the corpus's folder as `{folder}`."""

    def commands(self, folder: Path) -> list[str]:
        """Commands that use it; `folder` is where it was downloaded to."""
        place = (folder / self.name).as_posix()
        return [
            shlex.join(
                ["python", "-m", "engine", *(part.format(folder=place) for part in use.split())]
            )
            for use in self.uses
        ]


# A revision, so that the files stay the same. Sizes and sums are those of its Git LFS pointers, as several
# projects have published them that fetched the files and checked them.
_TINYSTORIES = "/datasets/roneneldan/TinyStories/resolve/f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"
_MULTI30K = "/multi30k/dataset/master/data/task1/raw"

KNOWN: dict[str, Known] = {
    known.name: known
    for known in (
        Known(
            "shakespeare",
            "Tiny Shakespeare, from https://github.com/karpathy/char-rnn; the works are in the public domain.",
            (
                KnownFile(
                    "input.txt",
                    "/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
                    1_115_394,
                    "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
                ),
            ),
            ("train --train_data_path {folder}/input.txt",),
        ),
        Known(
            "multi30k",
            "Multi30K (Elliott et al. 2016), from https://github.com/multi30k/dataset, "
            "under the terms of Flickr30K: for non-commercial research and education.",
            (
                KnownFile(
                    "train.de",
                    f"{_MULTI30K}/train.de.gz",
                    2_110_398,
                    "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
                ),
                KnownFile(
                    "train.en",
                    f"{_MULTI30K}/train.en.gz",
                    1_801_238,
                    "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
                ),
                KnownFile(
                    "val.de",
                    f"{_MULTI30K}/val.de.gz",
                    75_981,
                    "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
                ),
                KnownFile(
                    "val.en",
                    f"{_MULTI30K}/val.en.gz",
                    63_297,
                    "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
                ),
                KnownFile(
                    "test2016.de",
                    f"{_MULTI30K}/test_2016_flickr.de.gz",
                    70_649,
                    "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
                ),
                KnownFile(
                    "test2016.en",
                    f"{_MULTI30K}/test_2016_flickr.en.gz",
                    62_076,
                    "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
                ),
            ),
            (
                "train --source pairs --tokenizer bpe --n_encoder_layer 3 "
                "--train_data_path {folder}/train.de --target_data_path {folder}/train.en "
                "--valid_data_path {folder}/val.de --valid_target_path {folder}/val.en",
                "evaluate --run RUN --sources {folder}/test2016.de --targets {folder}/test2016.en",
            ),
        ),
        Known(
            "tinystories",
            "TinyStories (Eldan & Li 2023), from https://huggingface.co/datasets/roneneldan/TinyStories, "
            "under CDLA-Sharing-1.0.",
            (
                KnownFile(
                    "TinyStoriesV2-GPT4-valid.txt",
                    f"{_TINYSTORIES}/TinyStoriesV2-GPT4-valid.txt",
                    22_502_601,
                    "6874bae9a4c1a4e7edcf0e53b86c17817e9cf881fc75ff2368da457b80c0585d",
                    HUB,
                ),
                KnownFile(
                    "TinyStoriesV2-GPT4-train.txt",
                    f"{_TINYSTORIES}/TinyStoriesV2-GPT4-train.txt",
                    2_227_753_162,
                    "6418d412de72888f52b5142c761ac21a582f7d1166f0bfbdb5f03ccfdec90443",
                    HUB,
                ),
            ),
            (
                "prepare --vocab_size 10000 --valid_fraction 0.01 --out {folder}/ids "
                "--input {folder}/TinyStoriesV2-GPT4-train.txt {folder}/TinyStoriesV2-GPT4-valid.txt",
                "train --train_data_path {folder}/ids/train.bin "
                "--valid_data_path {folder}/ids/val.bin",
            ),
        ),
    )
}
"""The corpora of `python -m engine download`."""


def known(name: str) -> Known:
    """The corpus of this name. Raises `DataError`."""
    if name not in KNOWN:
        raise DataError("name", name, f"must be one of {', '.join(KNOWN)}")
    return KNOWN[name]
