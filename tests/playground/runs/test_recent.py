"""The cache of bounded size: what was used last stays."""

from __future__ import annotations

from playground.runs.recent import Recent


def test_bytes_stay_within_their_limit() -> None:
    recent: Recent[int, bytes] = Recent(limit=100, size=len)
    for i in range(50):
        recent.put(i % 20, bytes(i))
        assert recent.nbytes == sum(map(len, recent.entries.values()))
        assert recent.nbytes <= 100 or len(recent) == 1
    assert recent.get(49 % 20) == bytes(49)
    assert recent.get(-1) is None


def test_one_value_larger_than_the_limit_is_kept() -> None:
    recent: Recent[str, bytes] = Recent(limit=10, size=len)
    recent.put("large", bytes(99))
    assert recent.get("large") == bytes(99)


def test_the_least_recently_used_goes_first() -> None:
    recent: Recent[str, int] = Recent(count=2)
    recent.put("a", 1)
    recent.put("b", 2)
    assert recent.get("a") == 1
    recent.put("c", 3)
    assert recent.newest() == ["c", "a"]
    assert recent.get("b") is None


def test_a_value_is_made_once() -> None:
    recent: Recent[str, int] = Recent(count=2)
    made: list[int] = []

    def make() -> int:
        made.append(1)
        return len(made)

    assert recent.get_or_make("a", make) == recent.get_or_make("a", make) == 1
    recent.clear()
    assert len(recent) == recent.nbytes == 0
    assert recent.get_or_make("a", make) == 2
