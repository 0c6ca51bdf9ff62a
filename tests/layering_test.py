"""Data flows one way: the floors of imports, from the ground up.

`python tests/layering_test.py` draws what CONTRIBUTING.md says of them.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# A part imports parts of the floors below its own, and itself. The library is
# what lies in bnjax and not in bnjax/lab; nothing of it imports the laboratory.
FLOORS = (
  {"interop", "lab", "lab.errors", "lab.results", "lab.signals", "ops"},
  {
    "bnjax",
    "lab.literature",
    "lab.registry",
    "lab.usage",
    "linen",
  },
  {
    "lab.config_file",
    "lab.data",
    "lab.models",
    "lab.probes",
    "lab.report",
    "lab.writers",
    "tools",
  },
  {"lab.train", "nnx"},
  {"lab.config"},
  {"configs", "lab.experiment"},
  {"lab.cli", "lab.launch"},
  {"benchmarks", "lab.programs"},
  {"scripts"},
)
FLOOR = {part: floor for floor, parts in enumerate(FLOORS) for part in parts}
# Third-party packages that a part must do without.
LIBRARY = {"optax", "absl", "ml_collections", "rich", "pandas", "scipy"}
FORBIDDEN = {
  "ops": LIBRARY | {"flax"},
  "bnjax": LIBRARY | {"flax"},
  "linen": LIBRARY,
  "nnx": LIBRARY,
  "interop": LIBRARY | {"torch", "jax", "flax"},
  "tools": LIBRARY,
  "lab.models": {"absl", "ml_collections", "rich", "tensorflow_datasets"},
  "lab.probes": {"optax", "absl", "ml_collections", "rich"},
  "lab.data": {"absl", "ml_collections", "flax", "optax", "tensorflow"},
  "lab.train": {"absl", "ml_collections", "rich"},
  "lab.results": {"jax", "flax", "absl", "ml_collections", "matplotlib"},
  "lab.report": {"jax", "flax", "absl", "ml_collections"},
  "configs": {"jax", "flax", "absl", "numpy"},
}


def _part(name: tuple[str, ...]) -> str:
  """The part that a dotted name belongs to: the longest that has a floor."""
  if name[0] != "bnjax":
    return name[0]
  if name[1:2] == ("lab",):
    named = ".".join(name[1:3])
    return named if named in FLOOR else "lab"
  return name[1] if name[1:] and name[1] in FLOOR else "bnjax"


def _file_part(path: pathlib.Path) -> str:
  parts = path.relative_to(ROOT).with_suffix("").parts
  part = _part(parts)
  inside = parts[1:2] != ("__init__",) and parts[1:3] != ("lab", "__init__")
  if parts[0] == "bnjax" and inside:
    assert part not in ("bnjax", "lab"), f"give {path} a floor"
  return part


def _imports(path: pathlib.Path) -> set[str]:
  found = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: relative import"
      assert node.module
      found |= {f"{node.module}.{alias.name}" for alias in node.names}
  return found


FILES = [
  path
  for folder in ("bnjax", "benchmarks", "scripts", "configs")
  for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize(
  "path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_imports_go_down(path):
  part = _file_part(path)
  names = [tuple(name.split(".")) for name in _imports(path)]
  ours = {_part(name) for name in names if name[0] in ("bnjax", *FLOOR)}
  above = {p for p in ours - {part} if FLOOR[p] >= FLOOR[part]}
  assert not above, f"{part} imports {above}, which is not below it"
  theirs = {name[0] for name in names}
  assert not theirs & FORBIDDEN.get(part, set())


def test_library_does_not_know_the_laboratory():
  outside = [p for p in FILES if p.is_relative_to(ROOT / "bnjax")]
  for path in outside:
    if path.is_relative_to(ROOT / "bnjax" / "lab"):
      continue
    names = _imports(path)
    assert not [n for n in names if n.startswith("bnjax.lab")], path


def test_top_level_is_the_agreed_one():
  tracked = {"bnjax", "benchmarks", "configs", "scripts", "tests"}
  folders = {
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and any(path.glob("**/*.py")) and path.name[0] != "."
  }
  assert folders - {"docs", "build", "dist", "runs"} == tracked


PAGE = ROOT / "CONTRIBUTING.md"
DRAWN = "<!-- drawn by tests/layering_test.py -->\n", "<!-- until here -->"


def _first_line(path: pathlib.Path) -> str:
  return (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n")[0]


def _rows(folder: pathlib.Path, indent: str = "") -> list[str]:
  """A line for each module and package, with the subject that it names."""
  rows = []
  for path in sorted(folder.iterdir()):
    module = path / "__init__.py" if path.is_dir() else path
    if module.suffix != ".py" or not module.exists() or path.stem[0] == "_":
      continue
    name = indent + path.name + ("/" if path.is_dir() else "")
    rows.append(f"{name:18}{_first_line(module)}")
    if path == ROOT / "bnjax" / "lab":
      rows += _rows(path, indent + "  ")
  return rows


def drawing() -> str:
  """The listing of the package, and the floors, as Markdown."""
  rows = _rows(ROOT / "bnjax")
  floors = [
    f"{number}. " + ", ".join(f"`{part}`" for part in sorted(parts))
    for number, parts in enumerate(FLOORS)
  ]
  return "\n".join(["```text", *rows, "```", "", *floors, ""])


def test_contributing_has_the_listing_and_the_floors():
  text = PAGE.read_text().split(DRAWN[0])[1].split(DRAWN[1])[0]
  assert text == drawing(), "run python tests/layering_test.py"


if __name__ == "__main__":
  before, rest = PAGE.read_text().split(DRAWN[0])
  after = rest.split(DRAWN[1])[1]
  PAGE.write_text(before + DRAWN[0] + drawing() + DRAWN[1] + after)
