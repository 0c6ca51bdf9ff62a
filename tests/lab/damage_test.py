"""Records that were damaged: right, or one line; never anything else."""

import copy
import json
import os

import numpy as np
import pytest

from bnjax.lab import results
from bnjax.lab.report.page import read_experiment

CONFIG = {
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


def _rows():
  draw = np.random.default_rng(0)
  for arm in CONFIG["arms"]:
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


def _probes():
  for row in _rows():
    where = {name: row[name] for name in ("arm", "seed", "step")}
    yield where | {
      "probe": "size",
      "layer": "dense_0",
      "values": [row["accuracy"], 2.0],
      "edges": [0.0, 1.0, 2.0],
      "zero_fraction": 0.5,
    }


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
  folder = tmp_path_factory.mktemp("run")
  arms = {arm: CONFIG | own for arm, own in CONFIG["arms"].items()}
  results.write_json(folder / "config.json", {"config": CONFIG, "arms": arms})
  results.write_json(folder / "environment.json", ENVIRONMENT)
  results.write_rules(folder, RULES)
  results.append_rows(folder / "metrics.jsonl", _rows())
  results.append_rows(folder / "probes.jsonl", _probes())
  said = {"a": {"prediction": 1, "confidence": 0.5, "right": 1.0}}
  line = {"index": 0, "label": 1, "disagreement": 0.0, "arms": said}
  results.append_rows(
    folder / "predictions.jsonl", [line | {"image": [0, 0, 8, 8]}]
  )
  (folder / "predictions.png").write_bytes(b"a picture")
  results.write_summary(folder)
  return folder, {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture
def run(whole):
  """The run, whatever a test did to its files before."""
  folder, contents = whole
  for path in folder.iterdir():
    path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
  for name, content in contents.items():
    (folder / name).write_bytes(content)
  return folder


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


def _read(folder):
  """All that a report is made of, or the line that says what is wrong."""
  try:
    found = read_experiment(folder)
  except ValueError as error:
    line = str(error)
  except FileNotFoundError as error:
    line = str(error.filename)
  else:
    return (found.records.config, found.summary.get("entries"),
            found.summary.get("claims"), found.predictions, found.picture,
            list(found.records.rows), list(found.records.probes))  # fmt: skip
  assert "\n" not in line
  assert len(line) < 1000
  return line


def _pipe(path):
  path.unlink()
  os.mkfifo(path)


def _folder(path):
  path.unlink()
  path.mkdir()


def _link(path):
  path.unlink()
  path.symlink_to(path.parent / "gone")


def _flip(place):
  def flip(path):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x11
    path.write_bytes(content)

  return flip


HARMS = {
  "cut": lambda path: path.write_bytes(path.read_bytes()[:-3]),
  "half": lambda path: os.truncate(path, path.stat().st_size // 2),
  "empty": lambda path: path.write_bytes(b""),
  "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
  "no UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
  "list": lambda path: path.write_text("[1, 2]\n[3]\n"),
  "deep": lambda path: path.write_text("[" * 100_000),
  "NaN": lambda path: path.write_text('{"config": NaN}\n{"config": NaN}\n'),
  "nothing": lambda path: path.write_text('{"config": null}\n{"rules": 1}\n'),
  "pipe": _pipe,
  "folder": _folder,
  "link": _link,
  "gone": lambda path: path.unlink(),
  **{f"flip {place}": _flip(place) for place in np.linspace(0, 1, 12)},
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_done_to_a_file_is_told_or_changes_nothing(run, name):
  right, content = _read(run), (run / name).read_bytes()
  assert not isinstance(right, str), right
  for harm in HARMS.values():
    harm(run / name)
    found = _read(run)
    if name == "summary.json" and not os.path.lexists(run / name):
      assert found == right  # a run that is not finished: it is made anew
    elif name not in ("SHA256SUMS", "rules.json"):
      assert isinstance(found, str)
      assert name in found
    elif name == "SHA256SUMS":
      assert found == right or isinstance(found, str)
    _restore(run / name, content)
    assert _read(run) == right


def _restore(path, content):
  if path.is_dir() and not path.is_symlink():
    path.rmdir()
  else:
    path.unlink(missing_ok=True)
  path.write_bytes(content)


VALUES = (None, "x", "1.5", -1, 0.5, 10**400, True, [], {}, [[1]], [{}])


def _places(value, path=()):
  """Where there is something to replace, in nested JSON."""
  yield path
  if not isinstance(value, dict | list):
    return
  inside = value.items() if isinstance(value, dict) else enumerate(value)
  for key, own in inside:
    yield from _places(own, (*path, key))


def _replaced(whole, path, value):
  if not path:
    return value
  changed = copy.deepcopy(whole)
  place = changed
  for key in path[:-1]:
    place = place[key]
  place[path[-1]] = value
  return changed


@pytest.mark.parametrize("name", [n for n in FILES if ".json" in n])
def test_other_types_are_told_or_read(run, name):
  """Without digests: as of a run that goes on, or of another program."""
  (run / results.SUMS).unlink()
  content = (run / name).read_bytes()
  lines = content.splitlines(keepends=True)
  lines = lines[2:3] or lines[:1] if name.endswith("l") else [content]
  row = json.loads(lines[0])
  cases = [(path, value) for path in _places(row) for value in VALUES]
  draw = np.random.default_rng(0)
  some = draw.permutation(len(cases))[:60]
  for path, value in [cases[i] for i in some]:
    changed = json.dumps(_replaced(row, path, value)).encode()
    (run / name).write_bytes(content.replace(lines[0], changed + b"\n"))
    _read(run)
