"""Data flows one way: who may import whom, as a table."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parent.parent

# Part of bnjax -> the parts it may import. `errors` and `named` are leaves
# that say what is wrong with a config; anything above ops may use them.
ALLOWED = {
  "__init__": {"ops"},
  "ops": set(),
  "_layer": {"ops"},
  "linen": {"_layer", "ops"},
  "nnx": {"_layer", "ops"},
  "interop": set(),
  "linen_tools": {"linen", "nnx", "ops"},
  "errors": set(),
  "named": {"errors"},
  "models": {"linen", "ops", "errors", "named"},
  "probes": {"errors", "named", "ops"},
  "data": {"errors"},
  "train": {"errors", "linen_tools", "ops"},
  "results": set(),
  "report": {"results", "errors"},
  "environment": set(),
  # From a config to records, each of these above the ones before it.
  "build": {"errors", "models", "train"},
  "config": {"build", "errors"},
  "literature": set(),
  "metrics": set(),
  "shorthands": set(),
  "arms": {"build", "errors", "named"},
  "plan": {"arms", "build", "errors"},
  "validation": {"build", "data", "errors", "plan", "probes", "train"},
  "recorder": {"plan", "probes", "train"},
  "checkpoints": {"errors"},
  "clock": set(),
  "locks": {"errors"},
  "preemption": set(),
  "params": {"checkpoints", "errors", "plan"},
  "processes": {"checkpoints", "errors", "train"},
  "journal": {
    "checkpoints",
    "data",
    "errors",
    "params",
    "plan",
    "predictions",
    "results",
    "runner",
    "workdirs",
  },
  "pictures": set(),
  "predictions": {"pictures", "plan", "results"},
  "feed": {"data", "errors", "train"},
  "runner": {"build", "clock", "feed", "plan", "probes", "recorder", "train"},
  "workdirs": {"errors", "locks", "results"},
  "progress": {"plan"},
  "meter": {"progress"},
  "dry_run": {
    "build",
    "data",
    "experiment",
    "feed",
    "meter",
    "plan",
    "report",
    "runner",
    "train",
    "validation",
  },
  "terminal": {"meter", "progress"},
  "usage": {"errors"},
  "writers": {"errors"},
  "experiment": {
    "arms",
    "data",
    "environment",
    "checkpoints",
    "errors",
    "feed",
    "journal",
    "locks",
    "metrics",
    "plan",
    "preemption",
    "processes",
    "progress",
    "results",
    "runner",
    "train",
    "validation",
    "workdirs",
    "writers",
  },
  "bench": {
    "arms",
    "build",
    "data",
    "errors",
    "experiment",
    "linen",
    "linen_tools",
    "models",
    "ops",
    "results",
    "sweep",
    "train",
  },
  "conformance": {"linen", "nnx", "ops"},
  "console": {
    "dry_run",
    "errors",
    "preemption",
    "processes",
    "report",
    "terminal",
    "usage",
  },
  "sweep": {
    "arms",
    "console",
    "environment",
    "errors",
    "experiment",
    "locks",
    "plan",
    "preemption",
    "report",
    "results",
    "validation",
    "workdirs",
  },
  "scripts": {
    "bench",
    "conformance",
    "console",
    "data",
    "errors",
    "experiment",
    "processes",
    "report",
    "sweep",
    "writers",
    "usage",
  },
  "configs": {"config", "literature", "shorthands"},
}
# Third-party packages that a part must do without.
FORBIDDEN = {
  "ops": {"flax", "optax", "absl", "ml_collections", "rich"},
  "linen": {"optax", "absl", "ml_collections", "rich"},
  "nnx": {"optax", "absl", "ml_collections", "rich"},
  "interop": {"torch", "jax", "flax"},
  "linen_tools": {"optax", "absl", "ml_collections", "rich"},
  "models": {"absl", "ml_collections", "rich", "tensorflow_datasets"},
  "probes": {"optax", "absl", "ml_collections", "rich"},
  "data": {"absl", "ml_collections", "flax", "optax", "tensorflow"},
  "train": {"absl", "ml_collections", "rich"},
  "results": {"jax", "flax", "absl", "ml_collections", "matplotlib"},
  "report": {"jax", "flax", "absl", "ml_collections"},
  "experiment": {"absl", "ml_collections", "rich"},
  "configs": {"jax", "flax", "absl", "numpy"},
}


def _part(path: pathlib.Path) -> str:
  parts = path.relative_to(ROOT).with_suffix("").parts
  return parts[1] if parts[0] == "bnjax" else parts[0]


def _imports(path: pathlib.Path) -> set[str]:
  found = set()
  for node in ast.walk(ast.parse(path.read_text())):
    if isinstance(node, ast.Import):
      found |= {alias.name for alias in node.names}
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f"{path}: relative import"
      assert node.module
      found.add(node.module)
      found |= {f"{node.module}.{alias.name}" for alias in node.names}
  return found


FILES = [
  path
  for folder in ("bnjax", "scripts", "configs")
  for path in sorted((ROOT / folder).rglob("*.py"))
]


@pytest.mark.parametrize(
  "path", FILES, ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_imports_go_down(path):
  part = _part(path)
  assert part in ALLOWED, f"give {part} a row in the table"
  imported = _imports(path)
  ours = {
    name.split(".")[1]
    for name in imported
    if name.startswith("bnjax.") and name.split(".")[1] in ALLOWED
  }
  assert ours - {part} <= ALLOWED[part]
  theirs = {name.split(".")[0] for name in imported}
  assert not theirs & FORBIDDEN.get(part, set())


def test_top_level_is_the_agreed_one():
  tracked = {"bnjax", "configs", "scripts", "tests"}
  folders = {
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and any(path.glob("**/*.py")) and path.name[0] != "."
  }
  assert folders - {"docs", "build", "dist", "runs"} == tracked
