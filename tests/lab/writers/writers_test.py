"""What all writers share: choosing, refusing, failing."""

import importlib.util
import pathlib

import pytest
from rows import NETWORKS, network, row

from bnjax.lab import writers
from bnjax.lab.errors import UserError
from bnjax.lab.writers import _Composite as Composite
from bnjax.lab.writers.per_network import PerNetwork


class Kept:
  """A run that keeps what it is told."""

  def __init__(self, about):
    self.about = about
    self.told = []
    self.closed = 0

  def write(self, step, scalars, histograms):
    self.told.append((step, dict(scalars), dict(histograms)))

  def close(self):
    self.closed += 1


@pytest.fixture
def kept():
  runs = []

  def open_run(about):
    runs.append(Kept(about))
    return runs[-1]

  return PerNetwork(open_run, "a test", NETWORKS), runs


def test_every_network_has_its_run(kept):
  writer, runs = kept
  writer.rows([row(0, seed=1, loss=2.0), row(0, "no_batch_norm", loss=3.0)])
  writer.rows([row(10, seed=1, loss=1.0)])
  writer.close()
  one, other = runs
  assert one.about.name == "batch_norm/seed_1"
  assert one.about.experiment == "a test"
  assert one.about.spec["optimizer.learning_rate"] == 0.1
  assert other.about.hyperparameters == {
    "arm": "no_batch_norm", "seed": 0, "norm.name": "none",
  }  # fmt: skip
  assert one.told == [(0, {"loss": 2.0}, {}), (10, {"loss": 1.0}, {})]
  assert [run.closed for run in runs] == [1, 1]


PREDICTIONS = [
  {
    "index": i,
    "label": 7,
    "disagreement": i / 10,
    "arms": {"a": {"prediction": i, "confidence": 0.5, "right": 1.0}},
  }
  for i in range(3)
]


def test_predictions_are_a_table_where_a_run_shows_one(kept):
  writer, runs = kept
  Composite({"plain": writer}, pytest.fail).predictions(PREDICTIONS)
  assert not runs
  shown = []

  def open_run(about):
    runs.append(Kept(about))
    runs[-1].table = lambda name, table: shown.append((name, table))
    return runs[-1]

  able = PerNetwork(open_run, "a test", NETWORKS, tables=True)
  Composite({"able": able}, pytest.fail).predictions(PREDICTIONS)
  ((name, table),) = shown
  assert name == runs[0].about.name == "predictions"
  assert table.rows[0] == (2, 7, 0.2, 2, 0.5, 1.0)  # most disagreement first
  assert runs[0].closed == 1
  able.predictions([])
  assert len(runs) == 1


def test_the_first_step_says_whether_a_network_goes_on(kept):
  writer, runs = kept
  writer.rows([row(30, loss=2.0), row(0, seed=1, loss=2.0)])
  assert [run.about.first_step for run in runs] == [30, 0]


def test_the_probes_of_a_step_are_told_together(kept):
  writer, runs = kept
  probe = lambda **fields: row(5, probe="norm", **fields)
  writer.probe_rows(
    [
      probe(layer="dense_0", values=1.0),
      probe(layer="dense_1", values=[1, 2], edges=[0, 1, 2]),
    ]
  )
  ((step, scalars, histograms),) = runs[0].told
  assert step == 5
  assert scalars == {"norm/dense_0": 1.0}
  assert histograms == {"norm/dense_1": ([1, 2], [0, 1, 2])}


def test_points_of_a_grid_are_networks_of_their_own():
  points = [network(point={"l2": value}) for value in (0.0, 0.1)]
  names = []
  writer = PerNetwork(
    lambda about: names.append(about.name) or Kept(about), "a test", points
  )
  writer.rows([row(0, point={"l2": v}, loss=1.0) for v in (0.1, 0.0)])
  assert names == ["batch_norm/l2=0.1/seed_0", "batch_norm/l2=0.0/seed_0"]


def test_probes_of_a_step_at_several_points_are_apart():
  runs = []
  writer = PerNetwork(
    lambda about: runs.append(Kept(about)) or runs[-1],
    "a test",
    [network(point={"l2": value}) for value in (0.0, 0.1)],
  )
  seen = {"probe": "norm", "layer": "dense_0"}
  writer.probe_rows(
    [row(0, point={"l2": v}, values=10 * v, **seen) for v in (0.0, 0.1)]
  )
  assert [run.told for run in runs] == [
    [(0, {"norm/dense_0": value}, {})] for value in (0.0, 1.0)
  ]


class Fails:
  def rows(self, rows):
    raise RuntimeError("the disk\nis full")

  probe_rows = rows

  def close(self):
    raise AssertionError("it was left out")


class Works:
  def __init__(self):
    self.told = []

  def rows(self, rows):
    self.told.append(rows)

  probe_rows = rows

  def close(self):
    self.told.append("closed")


def test_a_writer_that_fails_is_told_of_once_and_the_others_go_on():
  notices, works = [], Works()
  writer = Composite({"bad": Fails(), "good": works}, notices.append)
  writer.rows([1])
  writer.rows([2])
  writer.probe_rows([3])
  writer.close()
  assert works.told == [[1], [2], [3], "closed"]
  (notice,) = notices
  assert notice.startswith("writer bad failed")
  assert notice.endswith("the disk is full")


def test_interrupting_is_no_failure_of_a_writer():
  class Interrupted(Fails):
    def rows(self, rows):
      raise KeyboardInterrupt

  writer = Composite({"bad": Interrupted()}, print)
  with pytest.raises(KeyboardInterrupt):
    writer.rows([1])


def test_too_many_networks_are_refused_with_a_notice(tmp_path):
  pytest.importorskip("tensorboardX")
  many = [network(seed=seed) for seed in range(201)]
  notices = []
  writer = writers.open_writers(
    ["tensorboard"], tmp_path, "x", many, notify=notices.append
  )
  writer.rows([row(0, loss=1.0)])
  assert list(tmp_path.iterdir()) == []
  (notice,) = notices
  assert "201 networks are more than the 200" in notice


def test_no_writers_do_nothing(tmp_path):
  writer = writers.open_writers([], tmp_path, "x", NETWORKS)
  writer.rows([row(0, loss=1.0)])
  writer.close()
  assert list(tmp_path.iterdir()) == []


def test_a_misspelt_name_and_a_missing_package_are_told(monkeypatch):
  with pytest.raises(UserError, match=r"'tensorbord'.*mean 'tensorboard'"):
    writers.check(["tensorbord"])
  monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
  with pytest.raises(UserError, match=r"pip install 'bnjax\[mlflow\]'"):
    writers.check(["mlflow"])
  assert writers.installed() == ()


def test_each_writer_says_an_extra_that_brings_its_package():
  text = (
    pathlib.Path(writers.__file__).parents[3] / "pyproject.toml"
  ).read_text()
  for name, kind in writers.WRITERS.items():
    extra = text.split(f"\n{kind.extra} = [")[1].split("]")[0]
    assert f'"{kind.package}' in extra, name
