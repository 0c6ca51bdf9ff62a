"""Data that is read while it is used feeds the same training."""

import json
import pathlib
import sys

import numpy as np
import pytest

from bnjax.lab import data, experiment
from bnjax.lab.config import base
from bnjax.lab.data.dataset import Dataset, Spec, Split
from bnjax.lab.data.records import Records
from bnjax.lab.data.registry import DATASETS, Source
from bnjax.lab.errors import UserError
from bnjax.lab.signals import Preempted

for module in ("tensorflow_datasets", "array_record", "grain"):
  pytest.importorskip(module, reason=f"needs {module}, an extra of bnjax")
sys.path.append(str(pathlib.Path(__file__).parents[1] / "data"))
import tiny_tfds  # noqa: E402

SHAPE = (6, 6, 1)
SIZES = {"train": 40, "validation": 11, "test": 23}


@pytest.fixture(autouse=True)
def tiny(tmp_path_factory, monkeypatch):
  stored = tmp_path_factory.mktemp("data")
  directory = tiny_tfds.prepare(
    stored, "tiny", "1.0.0", SHAPE, train=51, test=23
  )
  first, splits = {"train": 11, "validation": 0, "test": 0}, {}
  arrays = {
    "train": tiny_tfds.examples(0, 51, SHAPE),
    "test": tiny_tfds.examples(1, 23, SHAPE),
  }
  for name, size in SIZES.items():
    images, labels = arrays["test" if name == "test" else "train"]
    part = slice(first[name], first[name] + size)
    splits[name] = Split(images[part], labels[part].astype(np.int32))

  def records(name, spec, split, data_dir):
    del name, spec, data_dir
    stored = "test" if split == "test" else "train"
    return Records(directory, stored, first[split], SIZES[split], 1)

  load = lambda name, spec, data_dir: Dataset(
    name, "tiny", num_classes=10, **splits
  )
  source = Source(Spec("tiny", *SIZES.values(), SHAPE, 10), load, records)
  monkeypatch.setitem(DATASETS, "tiny", source)
  return splits


def _config(**fields):
  config = base()
  config.dataset.name = "tiny"
  config.model.update(width=8, depth=1)
  config.stream = True
  config.machine.workers = 0
  config.batch_size = 8
  config.steps = 12
  config.eval_every = 4
  config.seeds = 2
  config.arms = {"dropout": {"model": {"dropout_rate": 0.3}}}
  config.population_batches = 2
  config.predictions = True
  config.probes = {"spread": {"measure": "variance", "layers": "activation_*"}}
  config.probe_examples = 9
  config.update(fields)
  return config.to_dict()


def _rows(workdir, name="metrics.jsonl"):
  lines = (workdir / name).read_text().splitlines()
  return [
    {k: v for k, v in json.loads(line).items() if not k.endswith("_seconds")}
    for line in lines
  ]


def test_before_training_files_and_memory_agree(tmp_path):
  """The same networks on the same examples, each counted once."""
  streamed = _config(steps=0, population_batches=0)
  experiment.run(streamed, tmp_path / "files")
  experiment.run({**streamed, "stream": False}, tmp_path / "memory")
  for name in ("metrics.jsonl", "probes.jsonl", "predictions.jsonl"):
    ours, theirs = (_rows(tmp_path / d, name) for d in ("files", "memory"))
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
      assert one.keys() - {"image"} == other.keys() - {"image"}
      for field in ("test_loss", "validation_loss", "values"):
        if field in other:
          np.testing.assert_allclose(one[field], other[field], rtol=1e-5)
      for field in ("test_accuracy", "validation_accuracy", "label", "index"):
        assert one.get(field) == other.get(field)


@pytest.mark.parametrize("split", ["validation", "test"])
@pytest.mark.parametrize("stream", [True, False])
def test_probes_look_at_the_split_that_they_are_told(tmp_path, stream, split):
  """The accuracy on all of it is the evaluation's."""
  probes = {"clean": {"measure": "accuracy"}}
  look = {"probe_split": split, "probe_examples": 10**4, "probes": probes}
  config = _config(steps=0, population_batches=0, stream=stream, **look)
  experiment.run(config, tmp_path)
  seen = _rows(tmp_path, "probes.jsonl")
  found = [row["values"] for row in seen if row["probe"] == "clean"]
  told = [row[f"{split}_accuracy"] for row in _rows(tmp_path)]
  assert found == pytest.approx(told, rel=1e-5)


def test_a_streamed_run_that_stops_goes_on(tmp_path):
  import os
  import signal

  config = _config()
  experiment.run(config, tmp_path / "whole")
  rows = _rows(tmp_path / "whole")
  assert [row["step"] for row in rows] == [0, 0, 4, 4, 8, 8, 12, 12]
  assert rows[-1]["population_test_loss"] != rows[-1]["test_loss"]
  assert rows[-1]["param_norm"] != rows[0]["param_norm"]

  def stop(progress):
    if progress.step == 4:
      os.kill(os.getpid(), signal.SIGTERM)

  with pytest.raises(Preempted, match="at step 8"):
    experiment.run(config, tmp_path / "stopped", report_progress=stop)
  experiment.run(config, tmp_path / "stopped")
  for name in ("metrics.jsonl", "probes.jsonl", "predictions.jsonl"):
    assert _rows(tmp_path / "stopped", name) == _rows(tmp_path / "whole", name)


def test_a_streamed_batch_over_devices(tmp_path):
  config = _config(population_batches=2)
  experiment.run(config, tmp_path / "one")
  experiment.run(config, tmp_path / "four", mesh="data=4")
  for one, four in zip(
    _rows(tmp_path / "one"), _rows(tmp_path / "four"), strict=True
  ):
    for field, value in one.items():
      if field.endswith("loss"):
        assert four[field] == pytest.approx(value, rel=1e-5)


def test_a_batch_that_devices_cannot_share(tmp_path):
  with pytest.raises(UserError, match="not divided evenly by 3 devices"):
    experiment.run(_config(), tmp_path, mesh="data=3")


def test_every_step_sees_its_rows(tiny):
  """The first epoch of a seed has every training image once."""
  files = data.open_files("tiny")
  batches = files.batches("train", 8, seed=3)
  seen = [image.tobytes() for i in range(5) for image in batches[i]["images"]]
  wanted = [image.tobytes() for image in tiny["train"].images]
  assert sorted(seen) == sorted(wanted)
  assert seen != wanted
  np.testing.assert_array_equal(files.labels("test"), tiny["test"].labels)
  assert files.mean == pytest.approx(tiny["train"].images.mean() / 255)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"dataset": {"name": "digits"}}, "'digits' is small and only loaded"),
    ({"dataset": {"transform": "binary"}}, "dataset.transform: what is read"),
    ({"dataset": {"examples": 5}}, "dataset.examples: what is read while"),
    ({"machine": {"workers": -1}}, "machine.workers: -1 is too"),
  ],
)
def test_what_cannot_be_read_so(fields, message, tmp_path):
  with pytest.raises(UserError, match=message):
    experiment.run(_config(**fields), tmp_path / "run")
  assert not (tmp_path / "run").exists()
