"""A stopped run, whatever was done to its files: right, or one line."""

import os

import pytest

from benchmarks.reliability.harms import HARMS
from benchmarks.reliability.stopped import (
  CONFIG,
  ENVIRONMENT,
  FILES,
  NETWORKS,
  StoppedRun,
  begin,
  contents,
  records,
)
from bnjax.lab import results
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
  return StoppedRun(tmp_path_factory.mktemp("stopped"))


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_done_to_a_file(stopped, name):
  came = {harm: stopped.attack(name, do) for harm, do in HARMS.items()}
  assert not [out for out in came.values() if out.verdict == "wrong"], came
  expected = {"checkpoints/2.npz": 1, "checkpoints/1.npz": 2}
  HARMS["flip 0.45"](stopped.restore() / name)
  if step := expected.get(name):
    _, found, _ = begin(stopped.folder)
    assert int(found.state["part"]["step"]) == step


def test_where_no_checkpoint_is_whole_it_starts_afresh(stopped):
  folder = stopped.restore()
  for number in (1, 2):
    HARMS["cut"](folder / f"checkpoints/{number}.npz")
  _, found, told = begin(folder)
  assert (found, len(told)) == (None, 2)
  names = {path.name for path in (folder / "checkpoints").iterdir()}
  assert names == {"1.npz.damaged", "2.npz.damaged"}
  assert not (folder / "metrics.jsonl").exists()


def test_where_records_fit_no_checkpoint_a_line_says_what_to_do(stopped):
  for name in ("metrics.jsonl", "probes.jsonl"):
    folder = stopped.restore()
    HARMS["empty"](folder / name)
    with pytest.raises(UserError, match=rf"no check.*; remove {folder} to sta"):
      begin(folder)


def test_other_data_than_the_run_began_with(stopped):
  folder = stopped.restore()
  before = contents(folder)
  other = {"datasets": [ENVIRONMENT["datasets"][0] | {"digest": "sha256:2"}]}
  with pytest.raises(
    UserError, match="began with digits of sha256:1, and here it is sha256:2;"
  ):
    begin(folder, other)
  assert contents(folder) == before


@pytest.mark.parametrize("name", ["config.json", "environment.json"])
def test_files_that_say_that_the_checkpoint_is_of_something_else(stopped, name):
  """As of another run, or changed by hand, together with the command."""
  folder = stopped.restore()
  path, other = folder / name, {}
  if name == "config.json":
    other = {"arms": {"a": {"steps": 10}}}
    results.write_json(path, {"config": CONFIG, **other})
  else:
    digest = {"digest": "sha256:2"}
    other = {"environment": {"datasets": [ENVIRONMENT["datasets"][0] | digest]}}
    results.write_json(path, other["environment"])
  before = contents(folder)
  line = "is of another config or other data than config.json and environment"
  with pytest.raises(UserError, match=line):
    begin(folder, **other)
  assert contents(folder) == before


@pytest.mark.parametrize("name", ["checkpoints", "report", ".lock"])
def test_no_link_is_followed(stopped, tmp_path, name):
  folder = stopped.restore()
  if name == "checkpoints":
    (folder / name).rename(tmp_path / name)
  (folder / name).symlink_to(tmp_path / name)
  with pytest.raises(UserError, match=rf"{name} is a link, and a run follows"):
    begin(folder)
  (folder / name).unlink()


def test_a_run_that_nothing_happened_to_goes_on(stopped):
  folder = stopped.restore()
  _, found, told = begin(folder)
  assert (int(found.state["part"]["step"]), told) == (2, [])
  names = [{"arm": "a", "point": {}, "seed": 0}]
  assert found.position["training"] == names
  assert found.position["parts"] == [names]


def test_records_are_on_the_disk_before_what_counts_on_them(
  stopped, monkeypatch
):
  order = []
  folder = stopped.restore()
  journal, _, _ = begin(folder)
  sync, replace = os.fsync, os.replace
  name = lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}")
  monkeypatch.setattr(
    os, "fsync", lambda file: (order.append(name(file)), sync(file))
  )
  monkeypatch.setattr(
    os, "replace", lambda a, b: (order.append(str(b)), replace(a, b))
  )
  with locks.hold(folder) as journal._check:
    journal.add(NETWORKS, records(3))
    journal.save(NETWORKS, [NETWORKS], records(3))
  monkeypatch.undo()
  places = [os.path.relpath(path, folder) for path in order]
  assert places[:2] == ["metrics.jsonl", "probes.jsonl"]
  assert places[2].startswith("checkpoints/.3.npz.")
  assert places[3:] == ["checkpoints/3.npz", "checkpoints"]
