"""A run as a pandas frame."""

import sys

import numpy as np
import pandas as pd
import pytest

from bnjax.lab import results

RATE = "optimizer.learning_rate"


def write(folder, rows, probes=()):
  results.write_json(folder / "config.json", {"config": {"arms": {"a": {}}}})
  results.write_json(folder / "environment.json", {})
  results.append_rows(folder / "metrics.jsonl", rows)
  if probes:
    results.append_rows(folder / "probes.jsonl", probes)
  return folder


def row(seed, step, rate=None, **fields):
  point = {} if rate is None else {"point": {RATE: rate}}
  return {"arm": "a", "seed": seed, "step": step, **point, **fields}


@pytest.fixture
def run(tmp_path):
  rows = [
    row(0, 0, 0.1, test_accuracy=0.1, train_seconds=0.0, diverged_step=None),
    row(0, 5, 0.1, test_accuracy=0.5, loss=2.0, train_seconds=1.0),
    row(0, 0, 1.0, test_accuracy=0.1, train_seconds=0.0),
    row(0, 5, 1.0, test_accuracy=0.3, loss=float("nan"), diverged_step=3),
    row(0, 5, 0.1, test_accuracy=0.6, loss=2.0),  # again, of a resumed run
  ]
  probes = [
    row(0, 5, 0.1, probe="size", layer="h_1", values=4.0),
    row(0, 5, 0.1, probe="size", layer="h_1", values=5.0),
    row(0, 5, 0.1, probe="hist", layer="h_1", values=[1, 3],
        edges=[0.0, 1.0, 2.0], zero_fraction=0.25),
    row(0, 5, 0.1, probe="units", layer="h_1", values=[[1.0, None], [3.0, 4]]),
  ]  # fmt: skip
  return write(tmp_path, rows, probes)


def test_a_row_for_each_arm_seed_point_and_step(run):
  expected = pd.DataFrame({
    "arm": "a",
    "seed": 0,
    RATE: [0.1, 0.1, 1.0, 1.0],
    "step": [0, 5, 0, 5],
    "test_accuracy": [0.1, 0.6, 0.1, 0.3],
    "loss": [np.nan, 2.0, np.nan, np.nan],
    "train_seconds": [0.0, 1.0, 0.0, np.nan],
    "diverged_step": [np.nan, np.nan, np.nan, 3.0],
  })  # fmt: skip
  pd.testing.assert_frame_equal(results.frame(run), expected)


def test_a_row_for_each_number_of_a_probe(run):
  found = results.probe_frame(run)
  assert list(found.columns) == [
    "arm", "seed", RATE, "step", "probe", "layer", "index", "value", "low",
    "high", "zero_fraction",
  ]  # fmt: skip
  by = found.set_index(["probe", "index"])
  assert by.value.loc["size"].to_dict() == {"": 5.0}
  assert by.value.loc["hist"].to_dict() == {"0": 1.0, "1": 3.0}
  assert by.low.loc["hist"].tolist() == [0.0, 1.0]
  assert by.high.loc["hist"].tolist() == [1.0, 2.0]
  assert set(by.zero_fraction.loc["hist"]) == {0.25}
  units = by.value.loc["units"]
  assert list(units.index) == ["0,0", "0,1", "1,0", "1,1"]
  np.testing.assert_array_equal(units, [1.0, np.nan, 3.0, 4.0])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_files_hold_the_same(run, tmp_path, form):
  if form == "parquet":
    pytest.importorskip("pyarrow")
  read = {"csv": pd.read_csv, "parquet": pd.read_parquet}[form]
  files = results.write_table(run, tmp_path / "out" / f"t.{form}")
  assert [f.name for f in files] == [f"t.{form}", f"t-probes.{form}"]
  pd.testing.assert_frame_equal(read(files[0]), results.frame(run))
  assert len(read(files[1])) == len(results.probe_frame(run)) == 7


def test_a_sweep_over_the_first_seed(tmp_path):
  rows = [
    row(i + j, 2) | {"point": {"seed": i}} for i in (4, 7) for j in (0, 1)
  ]
  found = results.frame(write(tmp_path, rows)).to_dict("list")
  assert found["seed"] == [4, 5, 7, 8]
  assert found["config.seed"] == [4, 4, 7, 7]


def test_without_grid_or_probes_there_are_fewer_columns(tmp_path):
  run = write(tmp_path, [row(1, 2, loss=None), row(0, 2, loss=1.0)])
  found = results.frame(run)
  assert found.to_dict("list")["seed"] == [1, 0]
  assert list(found.columns) == ["arm", "seed", "step", "loss"]
  assert found.loss.dtype == float
  assert len(results.probe_frame(run)) == 0
  assert len(results.write_table(run, tmp_path / "t.csv")) == 1
  results.append_rows(
    run / "metrics.jsonl", [row(0, 3, loss=-1) | {"arm": "=1"}]
  )
  results.write_table(run, tmp_path / "t.csv")
  last = (tmp_path / "t.csv").read_text().splitlines()[-1]
  assert last == "'=1,0,3,-1.0"  # no formula for a spreadsheet


def test_what_is_wrong_is_said_in_one_line(run, tmp_path, monkeypatch):
  with pytest.raises(ValueError, match=r"t.xlsx should end in .csv or .parqu"):
    results.write_table(run, tmp_path / "t.xlsx")
  monkeypatch.setitem(sys.modules, "pyarrow", None)
  monkeypatch.setitem(sys.modules, "fastparquet", None)
  with pytest.raises(ImportError, match="needs pyarrow: pip install pyarrow"):
    results.write_table(run, tmp_path / "t.parquet")


def test_what_was_kept_of_a_run_is_a_frame_too(run, tmp_path):
  kept = results.read_workdir(run)
  rules = results.Rules(claims={
    "c": results.greater("t", "a", 0.2, "test_accuracy@learning_rate=0.1",
                         step=0),
    "d": results.greater("t", "a", 0.2, "units/h_1[1][0]@learning_rate=0.1"),
    "e": results.greater("t", "a", 0.2, "units/h_1[0][1]@learning_rate=0.1"),
  })  # fmt: skip
  whole = results.Measured(kept.config, kept.rows, kept.probes, rules)
  folder = tmp_path / "kept"
  results.write_json(folder / "config.json", {"config": kept.config})
  results.write_json(folder / "environment.json", {})
  results.write_json(folder / "metrics.json", results.thin(whole))
  found = results.frame(folder)
  assert found[RATE].tolist() == [0.1, 1.0, 1.0, 0.1]
  assert found.step.tolist() == [5, 5, 3, 0]
  np.testing.assert_array_equal(found.test_accuracy, [0.6, 0.3, np.nan, 0.1])
  probes = results.probe_frame(folder)
  assert probes["index"].tolist() == ["0,0", "0,1", "1,0", "1,1"]
  np.testing.assert_array_equal(probes.value, [np.nan, np.nan, 3.0, np.nan])
