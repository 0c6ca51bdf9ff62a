"""A stopped run, whatever was done to its files: right, or one line."""

import json
import os

import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.experiment import locks, workdirs
from bnjax.lab.experiment.journal import Journal
from bnjax.lab.experiment.plan import Network
from bnjax.lab.experiment.recorder import Kept
from bnjax.lab.experiment.runner import Records, State
from bnjax.lab.results import Rules
from bnjax.lab.train.loop import Training
from bnjax.lab.train.state import TrainState

CONFIG = {"steps": 9, "dataset": {"name": "digits"}, "arms": {"a": {}}}
ARMS = {"a": {"steps": 9}}
ENVIRONMENT = {
  "datasets": [{"name": "digits", "label": "digits", "digest": "sha256:1"}]
}
NETWORKS = [Network("a", {}, 0, ARMS["a"])]
FILES = (
  "config.json",
  "rules.json",
  "environment.json",
  "metrics.jsonl",
  "probes.jsonl",
  "checkpoints/1.npz",
  "checkpoints/2.npz",
)


def _records(step):
  one = np.full(1, step, np.float32)
  kept = Kept(Training(one, one, one, one, one), one, 1, one)
  train = TrainState({"kernel": one}, {}, {}, np.full((1, 2), step, np.uint32))
  row = {"arm": "a", "seed": 0, "step": step}
  probe = row | {"probe": "p", "layer": "l", "values": 0.5}
  state = State(step, train, kept, {"train": 1.0})
  return Records(step, [row], [probe], None, None, state)


def _begin(folder, environment=ENVIRONMENT):
  told = []
  workdirs.check(folder, CONFIG, ARMS)
  with locks.hold(folder) as check:
    journal = Journal(folder, 1.0, check)
    found = journal.begin(CONFIG, ARMS, Rules(), environment, told.append)
    return journal, found, told


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
  folder = tmp_path_factory.mktemp("stopped")
  workdirs.check(folder, CONFIG, ARMS)
  with locks.hold(folder) as check:
    journal = Journal(folder, 1.0, check)
    assert journal.begin(CONFIG, ARMS, Rules(), ENVIRONMENT, print) is None
    for step in (1, 2):
      journal.add(NETWORKS, _records(step))
      journal.save(NETWORKS, [NETWORKS], _records(step))
    journal.add(NETWORKS, _records(3))  # which no checkpoint counts on
  return folder, {name: (folder / name).read_bytes() for name in FILES}


def _restore(stopped):
  folder, contents = stopped
  for path in sorted(folder.rglob("*"), reverse=True):
    if path.is_dir() and not path.is_symlink():
      path.rmdir()
    else:
      path.unlink()
  (folder / "checkpoints").mkdir()
  for name, content in contents.items():
    (folder / name).write_bytes(content)
  return folder


def _flip(place):
  def flip(path):
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 0x11
    path.write_bytes(content)

  return flip


def _instead(make):
  def replace(path):
    path.unlink()
    make(path)

  return replace


HARMS = {
  "cut": lambda path: os.truncate(path, path.stat().st_size - 3),
  "half": lambda path: os.truncate(path, path.stat().st_size // 2),
  "empty": lambda path: os.truncate(path, 0),
  "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
  "more": lambda path: path.write_bytes(path.read_bytes() + bytes(4096)),
  "no UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
  "list": lambda path: path.write_text("[1, 2]\n"),
  "NaN": lambda path: path.write_text('{"config": NaN}\n'),
  "nothing": lambda path: path.write_text('{"config": null}\n'),
  "types": lambda path: path.write_text('{"config": [], "datasets": 3}\n'),
  "large": lambda path: path.write_text(f'{{"config": {10**400}}}\n'),
  "pipe": _instead(os.mkfifo),
  "folder": _instead(os.mkdir),
  "link": _instead(lambda path: path.symlink_to("/dev/zero")),
  "gone": _instead(lambda path: None),
  **{f"flip {place}": _flip(place) for place in np.linspace(0, 1, 12)},
}


@pytest.mark.parametrize("name", FILES)
def test_whatever_is_done_to_a_file(stopped, name):
  for harm in HARMS.values():
    folder = _restore(stopped)
    harm(folder / name)
    before = _contents(folder)
    try:
      _, found, told = _begin(folder)
    except UserError as error:
      line = str(error)
      assert _contents(folder) == before
    else:
      line = "; ".join(told)
      _assert_right(folder, found)
      expected = {"checkpoints/2.npz": 1, "checkpoints/1.npz": 2}
      step = int(found.state["part"]["step"])
      assert step == expected.get(name, step)
    assert "\n" not in line


def _contents(folder):
  found = {}
  for path in folder.rglob("*"):
    regular = path.is_file() and not path.is_symlink()
    found[path] = path.read_bytes() if regular else path.lstat().st_mode
  found.pop(folder / "checkpoints")  # its time of change is no matter
  return found


def _assert_right(folder, found):
  """The state is that of a step, and the records end with it."""
  step = int(found.state["part"]["step"])
  wanted = _records(step).state
  np.testing.assert_array_equal(
    found.state["part"]["train"]["params"]["kernel"],
    wanted.train.params["kernel"],
  )
  for name in ("metrics.jsonl", "probes.jsonl"):
    lines = (folder / name).read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines]
    assert steps == list(range(1, step + 1))


def test_where_no_checkpoint_is_whole_it_starts_afresh(stopped):
  folder = _restore(stopped)
  for number in (1, 2):
    HARMS["cut"](folder / f"checkpoints/{number}.npz")
  _, found, told = _begin(folder)
  assert (found, len(told)) == (None, 2)
  names = {path.name for path in (folder / "checkpoints").iterdir()}
  assert names == {"1.npz.damaged", "2.npz.damaged"}
  assert not (folder / "metrics.jsonl").exists()


def test_where_records_fit_no_checkpoint_a_line_says_what_to_do(stopped):
  for name in ("metrics.jsonl", "probes.jsonl"):
    folder = _restore(stopped)
    HARMS["empty"](folder / name)
    with pytest.raises(UserError, match=rf"no check.*; remove {folder} to sta"):
      _begin(folder)


def test_other_data_than_the_run_began_with(stopped):
  folder = _restore(stopped)
  before = _contents(folder)
  other = {"datasets": [ENVIRONMENT["datasets"][0] | {"digest": "sha256:2"}]}
  with pytest.raises(
    UserError, match="began with digits of sha256:1, and here it is sha256:2;"
  ):
    _begin(folder, other)
  assert _contents(folder) == before


@pytest.mark.parametrize("name", ["checkpoints", "report", ".lock"])
def test_no_link_is_followed(stopped, tmp_path, name):
  folder = _restore(stopped)
  if name == "checkpoints":
    (folder / name).rename(tmp_path / name)
  (folder / name).symlink_to(tmp_path / name)
  with pytest.raises(UserError, match=rf"{name} is a link, and a run follows"):
    _begin(folder)
  (folder / name).unlink()


def test_a_run_that_nothing_happened_to_goes_on(stopped):
  folder = _restore(stopped)
  _, found, told = _begin(folder)
  assert (int(found.state["part"]["step"]), told) == (2, [])
  _assert_right(folder, found)
  names = [{"arm": "a", "point": {}, "seed": 0}]
  assert found.position["training"] == names
  assert found.position["parts"] == [names]


def test_records_are_on_the_disk_before_what_counts_on_them(
  stopped, monkeypatch
):
  order = []
  folder = _restore(stopped)
  journal, _, _ = _begin(folder)
  sync, replace = os.fsync, os.replace
  name = lambda descriptor: os.readlink(f"/proc/self/fd/{descriptor}")
  monkeypatch.setattr(
    os, "fsync", lambda file: (order.append(name(file)), sync(file))
  )
  monkeypatch.setattr(
    os, "replace", lambda a, b: (order.append(str(b)), replace(a, b))
  )
  with locks.hold(folder) as journal._check:
    journal.add(NETWORKS, _records(3))
    journal.save(NETWORKS, [NETWORKS], _records(3))
  monkeypatch.undo()
  places = [os.path.relpath(path, folder) for path in order]
  assert places[:2] == ["metrics.jsonl", "probes.jsonl"]
  assert places[2].startswith("checkpoints/.3.npz.")
  assert places[3:] == ["checkpoints/3.npz", "checkpoints"]
