"""Weights & Biases and MLflow, with no network and no server."""

import json

import pytest
from rows import NETWORKS, row

from bnjax.lab import writers
from bnjax.lab.writers.writer import About, run_id


def _tell(name, workdir, *steps):
  notices = []
  writer = writers.open_writers(
    [name], workdir, "an experiment", NETWORKS, notify=notices.append
  )
  for step in steps:
    writer.rows([row(step, loss=float(step), test_accuracy=0.5)])
  probe = row(steps[-1], probe="signal", layer="dense_0")
  writer.probe_rows([probe | {"values": [1, 3], "edges": [0.0, 2.0, 4.0]}])
  arms = {"a": {"prediction": 7, "confidence": 0.9, "right": 1.0}}
  row_of_it = {"index": 3, "label": 5, "disagreement": 0.1, "arms": arms}
  writer.predictions([row_of_it])
  writer.close()
  assert notices == []


def test_mlflow_has_a_run_a_network_in_a_file_store(tmp_path, monkeypatch):
  mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
  monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
  monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
  monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
  _tell("mlflow", tmp_path, 0, 10)
  _tell("mlflow", tmp_path, 10, 20)  # goes on
  client = mlflow.MlflowClient((tmp_path / "mlflow").as_uri())
  experiment = client.get_experiment_by_name("an experiment")
  (run,) = client.search_runs([experiment.experiment_id])
  assert run.info.run_name == "batch_norm/seed_0"
  assert run.info.status == "FINISHED"
  assert run.data.params["optimizer.learning_rate"] == "0.1"
  assert run.data.tags["arm"] == "batch_norm"
  history = client.get_metric_history(run.info.run_id, "loss")
  assert sorted({(m.step, m.value) for m in history}) == [
    (0, 0.0),
    (10, 10.0),
    (20, 20.0),
  ]


def test_work_directories_of_one_name_have_runs_of_their_own(
  tmp_path, monkeypatch
):
  mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
  place = (tmp_path / "store").as_uri()
  monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
  monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
  monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
  first, second = tmp_path / "a" / "run", tmp_path / "b" / "run"
  for workdir in (first, second):
    _tell("mlflow", workdir, 0)
  for workdir, step in ((first, 10), (second, 20)):
    _tell("mlflow", workdir, step)  # goes on
  client = mlflow.MlflowClient(place)
  found = {}
  for workdir in (first, second):
    (run,) = json.loads((workdir / "mlflow.json").read_text()).values()
    history = client.get_metric_history(run, "loss")
    found[workdir] = sorted({metric.step for metric in history})
  assert found == {first: [0, 10], second: [0, 20]}


def test_the_file_of_ids_is_no_link_to_another(tmp_path):
  """Nor does what is written aside go through one."""
  about = About("e", "a", "a/seed_0", {}, {}, 5)
  (tmp_path / "elsewhere").write_text("{}")
  path = tmp_path / "run" / "mlflow.json"
  assert run_id(path, about, lambda kept: "one") == "one"
  assert run_id(path, about, lambda kept: kept or "two") == "one"
  path.unlink()
  for name in ("mlflow.new", "mlflow.json"):
    (path.parent / name).symlink_to(tmp_path / "elsewhere")
  with pytest.raises(ValueError, match=r"mlflow\.json is a link"):
    run_id(path, about, lambda kept: "three")
  path.unlink()
  run_id(path, about, lambda kept: "three")
  assert (tmp_path / "elsewhere").read_text() == "{}"


def test_mlflow_goes_where_its_variable_says(tmp_path, monkeypatch):
  mlflow = pytest.importorskip("mlflow", reason="mlflow is not installed")
  place = (tmp_path / "elsewhere").as_uri()
  monkeypatch.setenv("MLFLOW_TRACKING_URI", place)
  monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
  monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
  _tell("mlflow", tmp_path / "run", 0)
  assert mlflow.MlflowClient(place).get_experiment_by_name("an experiment")
  assert not (tmp_path / "run" / "mlflow").exists()


def test_wandb_keeps_a_run_a_network_offline(tmp_path, monkeypatch):
  pytest.importorskip("wandb", reason="wandb is not installed")
  monkeypatch.setenv("WANDB_MODE", "offline")
  monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
  _tell("wandb", tmp_path, 0, 10)
  ids = json.loads((tmp_path / "wandb" / "ids.json").read_text())
  assert list(ids) == ["batch_norm/seed_0", "predictions"]
  _tell("wandb", tmp_path, 10)  # goes on
  kept = json.loads((tmp_path / "wandb" / "ids.json").read_text())
  assert kept["batch_norm/seed_0"] == ids["batch_norm/seed_0"]
  _tell("wandb", tmp_path, 0)  # from the start: a run of its own
  again = json.loads((tmp_path / "wandb" / "ids.json").read_text())
  assert again != ids
  for own in (*ids.values(), *again.values()):
    assert any((tmp_path / "wandb").glob(f"offline-run-*-{own}/*.wandb"))
