"""Damage to what a finished run left, and reading it for a report."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.harms import Harm
from benchmarks.reliability.outcome import Outcome, refused
from bnjax.lab import results
from bnjax.lab.report.page import read_experiment

CONFIG: dict[str, Any] = {
  "steps": 20,
  "seeds": 2,
  "batch_size": 8,
  "dataset": {"name": "digits"},
  "grid": {},
  "points": [],
  "probes": {"size": {"measure": "norm", "layers": "*"}},
  "arms": {"a": {}, "b": {"dataset": {"name": "digits"}}},
}
ENVIRONMENT = {
  "command": "python train.py",
  "devices": ["cpu"],
  "datasets": [
    {"name": "digits", "label": "digits", "digest": "sha256:1", "train": 9}
  ],
}
RULES = results.Rules(
  title="a test",
  claims={"more": results.greater("a is more", "a", "b", metric="accuracy")},
)
FILES = (
  "SHA256SUMS",
  "config.json",
  "environment.json",
  "metrics.jsonl",
  "predictions.jsonl",
  "predictions.png",
  "probes.jsonl",
  "rules.json",
  "summary.json",
)
_SUMMED = [n for n in FILES if n not in ("SHA256SUMS", "rules.json")]


def _rows(name: str) -> Iterator[dict[str, Any]]:
  draw = np.random.default_rng(0)
  for arm in (name, "b"):
    for seed in (0, 1):
      for step in (0, 10, 20):
        yield {
          "arm": arm,
          "seed": seed,
          "step": step,
          "accuracy": draw.random(),
          "loss": None if step == 10 else draw.random(),
          "diverged_step": 10 if seed else None,
        }


def _probes(name: str) -> Iterator[dict[str, Any]]:
  for row in _rows(name):
    where = {name: row[name] for name in ("arm", "seed", "step")}
    yield where | {
      "probe": "size",
      "layer": "dense_0",
      "values": [row["accuracy"], 2.0],
      "edges": [0.0, 1.0, 2.0],
      "zero_fraction": 0.5,
    }


class FinishedRun:
  """The records of a run with its rules, summary and digests.

  Args:
    folder: gets them; there already.
    name: of an arm.
  """

  def __init__(self, folder: Path, name: str = "a"):
    self.folder = folder
    config = {**CONFIG, "arms": {name: {}, "b": CONFIG["arms"]["b"]}}
    arms = {arm: CONFIG | own for arm, own in config["arms"].items()}
    results.write_json(folder / "config.json", {"config": config, "arms": arms})
    results.write_json(folder / "environment.json", ENVIRONMENT)
    results.write_rules(folder, RULES)
    results.append_rows(folder / "metrics.jsonl", _rows(name))
    results.append_rows(folder / "probes.jsonl", _probes(name))
    said = {name: {"prediction": 1, "confidence": 0.5, "right": 1.0}}
    line = {"index": 0, "label": 1, "disagreement": 0.0, "arms": said}
    results.append_rows(
      folder / "predictions.jsonl", [line | {"image": [0, 0, 8, 8]}]
    )
    (folder / "predictions.png").write_bytes(b"a picture")
    results.write_summary(folder)
    self._contents = {p.name: p.read_bytes() for p in folder.iterdir()}
    self.right = self.read()
    assert not isinstance(self.right, str), self.right

  def restore(self) -> Path:
    """Puts all files back; its work directory."""
    for path in self.folder.iterdir():
      path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in self._contents.items():
      (self.folder / name).write_bytes(content)
    return self.folder

  def read(self) -> Any:
    """All that a report is made of, or the line that says what is wrong."""
    try:
      found = read_experiment(self.folder)
    except ValueError as error:
      return str(error)
    except FileNotFoundError as error:
      return str(error.filename)
    return (found.records.config, found.summary.get("entries"),
            found.summary.get("claims"), found.predictions, found.picture,
            list(found.records.rows), list(found.records.probes))  # fmt: skip

  def attack(self, name: str, harm: Harm) -> Outcome:
    """Does something to one file and reads the run."""
    harm(self.restore() / name)
    try:
      found = self.read()
    except Exception as error:
      return Outcome("wrong", repr(error))
    if isinstance(found, str):
      names = name in found or name == "SHA256SUMS"
      return refused(found) if names else Outcome("wrong", f"of what? {found}")
    # Digests alone, or what is made anew; rules are told where they changed.
    gone = not os.path.lexists(self.folder / name)
    told = name == "rules.json" and (
      gone or results.read_rules(self.folder).notices
    )
    if told or (found == self.right and (gone or name not in _SUMMED)):
      return Outcome("survived")
    return Outcome("wrong", f"{name} was believed")
