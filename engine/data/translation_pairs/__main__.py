"""Writes the pairs that grammars make: `python -m engine.data.translation_pairs`."""

from __future__ import annotations

import gzip
from pathlib import Path

from engine.data.corpora import FOLDER
from engine.data.translation_pairs.sentences import EDITIONS


def main(folder: Path = FOLDER) -> None:
    """Write every corpus into a folder."""
    for edition in EDITIONS.values():
        text = edition.write().encode()
        path = folder / edition.path.name
        path.write_bytes(gzip.compress(text, compresslevel=9, mtime=0))
        print(f"{path}: {len(text):,} bytes, {path.stat().st_size:,} compressed")


if __name__ == "__main__":
    main()
