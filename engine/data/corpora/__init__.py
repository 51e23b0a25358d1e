"""Texts to learn from: the project's own, written from grammars, and public ones that are downloaded by name."""

from __future__ import annotations

from engine.data.corpora.own import CORPORA, FOLDER, Corpus

__all__ = ["CORPORA", "FOLDER", "Corpus"]
