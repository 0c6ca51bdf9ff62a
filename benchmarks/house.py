"""How large the house is: lines, files and floors of imports of a checkout.

  python -m benchmarks.house [CHECKOUT ...]

Of the present layout, and of the one before `bnjax/lab`, to compare them.
"""

import ast
import collections
import functools
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

KINDS = {
  ".py": "Python",
  ".js": "JavaScript",
  ".css": "CSS",
  ".html": "templates",
  ".md": "templates",
}
FOLDERS = ("bnjax", "benchmarks", "configs", "scripts", "tests")
# The laboratory lay beside these, and the benchmarks among them.
_LIBRARY = (
  "__init__",
  "_layer",
  "interop",
  "linen",
  "linen_tools",
  "nnx",
  "ops",
  "tools",
)
_BENCHMARKS = ("bench", "conformance")


def tracked(root: Path) -> list[Path]:
  """The files of a checkout that git knows, relative to it."""
  names = subprocess.run(
    ["git", "-C", root, "ls-files", *FOLDERS],
    capture_output=True,
    text=True,
    check=True,
  ).stdout.splitlines()
  return [path for path in map(Path, names) if (root / path).is_file()]


def part(path: Path) -> str:
  """What a file belongs to: the library, the laboratory, or a folder.

  >>> part(Path("bnjax/ops/moments.py")), part(Path("bnjax/lab/usage.py"))
  ('library', 'laboratory')
  >>> part(Path("bnjax/bench/ops.py")), part(Path("scripts/train.py"))
  ('benchmarks', 'scripts')
  """
  folder, *names = path.with_suffix("").parts
  if folder != "bnjax":
    return folder
  if names[0] in _BENCHMARKS:
    return "benchmarks"
  return "library" if names[0] in _LIBRARY else "laboratory"


def sizes(root: Path) -> dict[str, collections.Counter[str]]:
  """Lines by kind, and the number of files, of each part."""
  found: dict[str, collections.Counter[str]] = {}
  for path in tracked(root):
    kind = KINDS.get(path.suffix)
    if kind is not None:
      counts = found.setdefault(part(path), collections.Counter())
      counts[kind] += len((root / path).read_text("utf-8").splitlines())
      counts["files"] += 1
  return found


def _room(parts: tuple[str, ...]) -> str:
  """The module or package at the root of its part that a name lies in."""
  if parts[0] != "bnjax":
    return parts[0]
  names = [name for name in parts[1:3] if name != "__init__"]
  if names[:1] == ["lab"]:
    return ".".join(names)
  return names[0] if names else "bnjax"


def _imported(path: Path) -> Iterator[tuple[str, ...]]:
  for node in ast.walk(ast.parse(path.read_text("utf-8"))):
    if isinstance(node, ast.Import):
      yield from (tuple(alias.name.split(".")) for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
      for alias in node.names:
        yield (*node.module.split("."), alias.name)


def floors(root: Path) -> list[set[str]]:
  """Rooms by floor: each imports rooms of lower floors alone.

  Raises:
    RecursionError: there is a circle.
  """
  below: dict[str, set[str]] = {}
  for path in tracked(root):
    if path.suffix == ".py" and path.parts[0] != "tests":
      below.setdefault(_room(path.with_suffix("").parts), set())
  for path in tracked(root):
    if path.suffix != ".py" or path.parts[0] == "tests":
      continue
    room = _room(path.with_suffix("").parts)
    for name in _imported(root / path):
      if name[0] in FOLDERS:
        other = _room(name)
        # An object of a package's root, such as its version.
        other = other if other in below else other.rpartition(".")[0] or name[0]
        below[room] |= {other} & below.keys() - {room}

  @functools.cache
  def floor(room: str) -> int:
    return 1 + max(map(floor, below[room]), default=-1)

  found: list[set[str]] = []
  for room in sorted(below, key=floor):
    if floor(room) == len(found):
      found.append(set())
    found[floor(room)].add(room)
  return found


def main(checkouts: list[str]) -> None:
  """Prints the sizes and floors of each checkout."""
  for root in map(pathlib.Path, checkouts or ["."]):
    print(root)
    for name, counts in sorted(sizes(root).items()):
      print(f"  {name:12}", dict(counts))
    for number, rooms in enumerate(floors(root)):
      print(f"  floor {number}: {', '.join(sorted(rooms))}")


if __name__ == "__main__":
  main(sys.argv[1:])
