import struct

import pytest
from rows import NETWORKS, row

from bnjax.lab import writers

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")


def _events(folder):
  """All events below a folder, in the order in which they are read."""
  from tensorboardX.proto.event_pb2 import Event

  found = []
  for path in sorted(folder.glob("**/events.out.tfevents.*")):
    data = path.read_bytes()
    while data:  # length, its checksum, the event, its checksum
      (length,) = struct.unpack("<Q", data[:8])
      found.append(Event.FromString(data[12 : 12 + length]))
      data = data[16 + length :]
  return found


def _open(workdir):
  return writers.open_writers(["tensorboard"], workdir, "x", NETWORKS)


def _scalars(events):
  return [
    (event.step, value.tag, value.simple_value)
    for event in events
    for value in event.summary.value
    if value.WhichOneof("value") == "simple_value"
  ]


def test_predictions_are_a_table_in_markdown(tmp_path):
  writer = _open(tmp_path)
  arms = {"a": {"prediction": 7, "confidence": 0.9, "right": 1.0}}
  row = {"index": 3, "label": 5, "disagreement": 0.1, "arms": arms}
  writer.predictions([row])
  folder = tmp_path / "tensorboard" / "predictions"
  (text,) = [
    value.tensor.string_val[0].decode()
    for event in _events(folder)
    for value in event.summary.value
  ]
  assert text.splitlines() == [
    "| index | label | disagreement | a: prediction | a: confidence "
    "| a: right |",
    "| --: | --: | --: | --: | --: | --: |",
    "| 3 | 5 | 0.1 | 7 | 0.9 | 1.0 |",
  ]
  writer.close()


def test_scalars_are_there_as_soon_as_they_are_told(tmp_path):
  writer = _open(tmp_path)
  writer.rows([row(0, loss=2.5), row(0, seed=1, loss=1.0)])
  writer.rows([row(10, loss=0.5, diverged_step=None)])
  folder = tmp_path / "tensorboard" / "batch_norm"
  assert _scalars(_events(folder / "seed_0")) == [
    (0, "loss", 2.5),
    (10, "loss", 0.5),
  ]
  assert _scalars(_events(folder / "seed_1")) == [(0, "loss", 1.0)]
  writer.close()


def test_histograms_have_the_bins_of_the_probe(tmp_path):
  writer = _open(tmp_path)
  probe = row(5, probe="signal", layer="dense_0/kernel")
  writer.probe_rows([probe | {"values": [1, 3], "edges": [0.0, 2.0, 4.0]}])
  writer.close()
  (value,) = _events(tmp_path)[-1].summary.value
  assert value.tag == "signal/dense_0/kernel"
  histogram = value.histo
  assert list(histogram.bucket_limit) == [0, 2, 4]
  assert list(histogram.bucket) == [0, 1, 3]
  assert (histogram.min, histogram.max, histogram.num) == (0, 4, 4)
  assert (histogram.sum, histogram.sum_squares) == (10, 28)


def test_the_hyperparameter_table_has_what_differs_and_the_accuracies(tmp_path):
  from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

  writer = _open(tmp_path)
  writer.rows([row(0, "no_batch_norm", test_accuracy=0.5, param_norm=3.0)])
  writer.close()
  told = {
    value.tag: HParamsPluginData.FromString(value.metadata.plugin_data.content)
    for event in _events(tmp_path)
    for value in event.summary.value
    if value.tag.startswith("_hparams_")
  }
  metrics = told["_hparams_/experiment"].experiment.metric_infos
  assert [info.name.tag for info in metrics] == ["test_accuracy"]
  own = told["_hparams_/session_start_info"].session_start_info.hparams
  assert own["arm"].string_value == "no_batch_norm"
  assert own["norm.name"].string_value == "none"
  assert own["seed"].number_value == 0


def test_a_run_from_the_start_replaces_what_was_there(tmp_path):
  for loss in (1.0, 2.0):
    writer = _open(tmp_path)
    writer.rows([row(0, loss=loss)])
    writer.close()
  assert _scalars(_events(tmp_path)) == [(0, "loss", 2.0)]


def test_a_run_that_goes_on_hides_what_was_told_of_its_steps(tmp_path):
  from tensorboardX.proto.event_pb2 import SessionLog

  for steps in ((0, 10, 20), (20, 30)):
    writer = _open(tmp_path)
    for step in steps:
      writer.rows([row(step, loss=float(step))])
    writer.close()
  events = _events(tmp_path)
  # TensorBoard drops what came before of steps from here on.
  (start,) = [e for e in events if e.session_log.status == SessionLog.START]
  assert start.step == 20
  before = events[: events.index(start)]
  assert [step for step, *_ in _scalars(before)] == [0, 10, 20]
  after = events[events.index(start) :]
  assert [step for step, *_ in _scalars(after)] == [20, 30]
