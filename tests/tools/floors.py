"""The rooms of the code and the arrows between them: `python -m tests.tools.floors [FOLDER]`.

A room is a folder of `engine` or `playground`, or a file directly in it. An arrow goes from a room to each room that
it imports from. The ground floor imports from no room; each other room stands one floor above the highest room that
it imports from. FOLDER is another checkout, to compare:

    git archive 6d807b1 | tar -x --one-top-level=/tmp/before && python -m tests.tools.floors /tmp/before
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def sources(folder: str, root: Path = ROOT) -> list[Path]:
    return sorted((root / folder).rglob("*.py"))


def module_of(path: Path, root: Path = ROOT) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str, house: str) -> str:
    """The room of this house that the module is in; "" if it is in none."""
    start = f"{house}."
    return module[len(start) :].partition(".")[0] if module.startswith(start) else ""


def exists(module: str, root: Path = ROOT) -> bool:
    place = root.joinpath(*module.split("."))
    return place.with_suffix(".py").is_file() or (place / "__init__.py").is_file()


def imports(path: Path, root: Path = ROOT, anywhere: bool = True) -> Iterator[str]:
    """The modules a file imports; without `anywhere`, only when it is itself imported."""
    waiting: list[ast.AST] = [ast.parse(path.read_bytes())]
    while waiting:
        node = waiting.pop()
        if not anywhere:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
                continue
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
                waiting.extend(node.orelse)
                continue
        waiting.extend(ast.iter_child_nodes(node))
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module_of(path, root).split(".")
                above = len(package) - node.level + (path.name == "__init__.py")
                base = ".".join([*package[:above], *filter(None, [node.module])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def rooms(house: str, root: Path = ROOT) -> tuple[dict[str, int], dict[str, set[str]]]:
    """The number of files in each room of a house, and the rooms that each room imports from."""
    files: dict[str, int] = {}
    arrows: dict[str, set[str]] = {}
    for path in sources(house, root):
        room = room_of(module_of(path, root), house)
        if not room:
            continue  # __init__.py, which offers the public names of all rooms
        files[room] = files.get(room, 0) + 1
        others = {room_of(module, house) for module in imports(path, root)} - {"", room}
        known = {other for other in others if exists(f"{house}.{other}", root)}
        arrows.setdefault(room, set()).update(known)
    return files, arrows


def floors(arrows: Mapping[str, set[str]]) -> tuple[list[list[str]], list[str]]:
    """The floors from the ground up, and the rooms that are in a circle or above one."""
    found: list[list[str]] = []
    left = dict(arrows)
    while left:
        floor = sorted(room for room, others in left.items() if not others & left.keys())
        if not floor:
            break
        found.append(floor)
        left = {room: others for room, others in left.items() if room not in floor}
    return found, sorted(left)


def main() -> None:
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    for house in ("engine", "playground"):
        files, arrows = rooms(house, root)
        found, circle = floors(arrows)
        count = sum(map(len, arrows.values()))
        print(
            f"{house}: {len(files)} rooms, {sum(files.values())} files, {count} arrows, {len(found)} floors"
        )
        for floor in reversed(found):
            print("  " + ", ".join(f"{room} {files[room]}" for room in floor))
        if circle:
            print("  without a floor: " + ", ".join(circle))


if __name__ == "__main__":
    main()
