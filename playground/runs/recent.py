"""A cache of bounded size that drops what was used longest ago (LRU)."""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """Values by key, the least recently used first. Safe to share between threads.

    It holds at most `count` values, of at most `limit` bytes together, but always the newest one.
    `size` measures a value in bytes.
    """

    def __init__(
        self,
        count: float = math.inf,
        limit: float = math.inf,
        size: Callable[[V], int] = lambda _: 0,
    ) -> None:
        self.count, self.limit, self.size = count, limit, size
        self.nbytes = 0
        self.entries: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """The value of this key, which is now the most recently used; None if it is not here."""
        with self._lock:
            if key in self.entries:
                self.entries.move_to_end(key)
            return self.entries.get(key)

    def put(self, key: K, value: V) -> None:
        """Store a value, and drop others if there are too many."""
        with self._lock:
            if key in self.entries:
                self.nbytes -= self.size(self.entries.pop(key))
            self.entries[key] = value
            self.nbytes += self.size(value)
            while len(self.entries) > 1 and (
                len(self.entries) > self.count or self.nbytes > self.limit
            ):
                self.nbytes -= self.size(self.entries.popitem(last=False)[1])

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The value of this key, made now if it is not here. Nothing waits while it is made."""
        value = self.get(key)
        if value is None:
            value = make()
            self.put(key, value)
        return value

    def newest(self) -> list[K]:
        """All keys, the most recently used first."""
        with self._lock:
            return list(reversed(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.entries.clear()
            self.nbytes = 0
