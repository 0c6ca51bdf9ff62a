"""Records that were damaged: right, or one line; never anything else."""

import copy
import json

import numpy as np
import pytest

from benchmarks.reliability.finished import FILES, FinishedRun
from benchmarks.reliability.harms import HARMS
from benchmarks.reliability.outcome import refused
from bnjax.lab import results


@pytest.fixture(scope="module")
def run(tmp_path_factory):
  return FinishedRun(tmp_path_factory.mktemp("run"))


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_done_to_a_file_is_told_or_changes_nothing(run, name):
  came = {harm: run.attack(name, do) for harm, do in HARMS.items()}
  assert not [out for out in came.values() if out.verdict == "wrong"], came
  assert sum(out.verdict == "refused" for out in came.values()) >= 12
  run.restore()
  assert run.read() == run.right


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
  folder = run.restore()
  (folder / results.SUMS).unlink()
  content = (folder / name).read_bytes()
  lines = content.splitlines(keepends=True)
  lines = lines[2:3] or lines[:1] if name.endswith("l") else [content]
  row = json.loads(lines[0])
  cases = [(path, value) for path in _places(row) for value in VALUES]
  draw = np.random.default_rng(0)
  some = draw.permutation(len(cases))[:60]
  for path, value in [cases[i] for i in some]:
    changed = json.dumps(_replaced(row, path, value)).encode()
    (folder / name).write_bytes(content.replace(lines[0], changed + b"\n"))
    found = run.read()
    assert not isinstance(found, str) or refused(found).verdict == "refused"
