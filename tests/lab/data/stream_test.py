"""Batches of a data set that is read while it is used."""

import dataclasses
import multiprocessing
import os
import shutil
import signal
import sys

import numpy as np
import pytest
import tiny_tfds

from bnjax.lab import errors
from bnjax.lab.data import stream
from bnjax.lab.data.records import Records, decode_image
from bnjax.lab.data.stream import Batches, Stream

for module in ("tensorflow_datasets", "array_record", "importlib_resources"):
  pytest.importorskip(module, reason=f"needs {module}, an extra of bnjax")
needs_grain = pytest.mark.usefixtures("grain")

SIZE = 7
SHAPE = (5, 6, 3)
IMAGES, LABELS = (part[3:] for part in tiny_tfds.examples(0, 10, SHAPE))


@pytest.fixture(scope="module")
def records(tmp_path_factory):
  directory = tiny_tfds.prepare(
    tmp_path_factory.mktemp("data"), "tiny", "1.0.0", SHAPE
  )
  return Records(directory, "train", 3, SIZE, 3)


@pytest.fixture
def grain():
  pytest.importorskip("grain", reason="grain reads ahead")
  from absl import flags

  parsed = flags.FLAGS.is_parsed()
  flags.FLAGS.mark_as_parsed()  # as absl.app.run would have
  yield
  if not parsed:
    flags.FLAGS.unparse_flags()


def _rows(batches):
  """Which examples these are: every image of the tiny set is another."""
  known = {image.tobytes(): row for row, image in enumerate(IMAGES)}
  return [known[i.tobytes()] for batch in batches for i in batch["images"]]


def _assert_equal(ours, theirs):
  assert ours.keys() == theirs.keys()
  for name in ours:
    np.testing.assert_array_equal(ours[name], theirs[name])
    assert ours[name].dtype == theirs[name].dtype


def _dice(encoded, generator):
  """An image of one pixel that shows what the generator gave."""
  return generator.integers(0, 256, (1, 1, 1), np.uint8)


def test_every_epoch_holds_every_example_once(records):
  batches = Batches(records, 4, seed=0)
  rows = _rows([batches[step] for step in range(SIZE)])
  epochs = [rows[i : i + SIZE] for i in range(0, 4 * SIZE, SIZE)]
  assert [sorted(epoch) for epoch in epochs] == [list(range(SIZE))] * 4
  assert len({tuple(epoch) for epoch in epochs}) == 4


def test_labels_belong_to_their_images(records):
  batch = Batches(records, 6, seed=3)[2]
  np.testing.assert_array_equal(batch["labels"], LABELS[_rows([batch])])
  assert (batch["images"].dtype, batch["labels"].dtype) == (np.uint8, np.int32)


def test_the_order_is_pinned():
  # An order that changed would change every run that goes on from a state.
  assert stream._order(0, 0, 8).tolist() == [3, 2, 1, 6, 0, 7, 4, 5]
  assert stream._order(1, 2, 8).tolist() == [2, 0, 7, 4, 6, 3, 5, 1]


def test_orders_are_uniform():
  # 6 orders of 3: chi-squared with 5 degrees of freedom, p = 1e-6 at 35.9.
  orders = [tuple(stream._order(seed, 1, 3)) for seed in range(3000)]
  counts = np.unique(orders, axis=0, return_counts=True)[1]
  assert len(counts) == 6
  assert ((counts - 500) ** 2 / 500).sum() < 35.9


def test_seeds_do_not_repeat_each_other():
  orders = {
    tuple(stream._order(seed, epoch, 50))
    for seed in range(8)
    for epoch in range(8)
  }
  assert len(orders) == 64


@pytest.mark.parametrize("seed", [5, None])
@pytest.mark.parametrize("count", [2, 4])
def test_processes_share_the_same_batch(records, seed, count):
  whole = Batches(records, 4, seed, _dice)
  for step in range(2):
    parts = [
      Batches(records, 4, seed, _dice, index, count)[step]
      for index in range(count)
    ]
    shared = {
      name: np.concatenate([part[name] for part in parts]) for name in parts[0]
    }
    _assert_equal(shared, whole[step])


def test_one_pass_is_in_order_and_masks_what_was_added(records):
  batches = Batches(records, 4, seed=None)
  assert len(batches) == 2
  assert _rows([batches[0], batches[1]]) == [0, 1, 2, 3, 4, 5, 6, 6]
  assert batches[0]["mask"].tolist() == [True] * 4
  assert batches[1]["mask"].tolist() == [True, True, True, False]
  assert len(Batches(records, 7, seed=None)) == 1
  assert Batches(records, 9, seed=None)[0]["mask"].sum() == SIZE


def test_augmentation_depends_on_seed_and_position_alone(records):
  def drawn(batch_size, seed, steps):
    batches = Batches(records, batch_size, seed, _dice)
    images = [batches[step]["images"] for step in range(steps)]
    return np.concatenate(images).ravel().tolist()

  values = drawn(4, 0, 7)
  assert values == drawn(7, 0, 4)  # however the stream is cut
  assert values != drawn(4, 1, 7)
  assert len(set(values)) > 20  # of 28 draws of 256: no epoch repeats another
  assert values[:4] == [37, 106, 98, 236]


def test_prepare_sees_the_encoded_image(records):
  def crop(encoded, generator):
    return decode_image(encoded)[1:3, :2]

  batches = Batches(records, 4, 0, crop)
  whole = Batches(records, 4, 0)[1]["images"]
  np.testing.assert_array_equal(batches[1]["images"], whole[:, 1:3, :2])


@needs_grain
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_stream_is_its_batches_in_order(records, workers):
  batches = Batches(records, 4, 0, lambda e, g: _jitter(decode_image(e), g))
  with Stream(batches, workers=workers, step=3) as found:
    for step in range(3, 9):
      batch = next(found)
      _assert_equal(batch, batches[step])
      assert {type(value) for value in batch.values()} == {np.ndarray}
      assert all(value.flags.owndata for value in batch.values())
      for worker in multiprocessing.active_children():
        os.kill(worker.pid, signal.SIGINT)  # Ctrl-C is sent to all


def _jitter(image, generator):
  return image + generator.integers(0, 9, dtype=np.uint8)


@needs_grain
@pytest.mark.parametrize("workers", [0, 2])
def test_one_pass_ends(records, workers):
  batches = Batches(records, 3, None)
  with Stream(batches, workers=workers) as found:
    assert _rows(found) == [0, 1, 2, 3, 4, 5, 6, 6, 6]
    with pytest.raises(StopIteration):
      next(found)


@needs_grain
def test_a_closed_stream_goes_on(records):
  batches = Batches(records, 4, 0)
  found = Stream(batches)
  next(found)
  found.close()
  found.close()
  _assert_equal(next(found), batches[1])
  found.close()


@needs_grain
@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_in_prepare_arrives(records, workers):
  def fail(encoded, generator):
    raise ZeroDivisionError("in prepare")

  with (
    Stream(Batches(records, 4, 0, fail), workers=workers) as found,
    pytest.raises(ZeroDivisionError, match="in prepare"),
  ):
    next(found)


@needs_grain
@pytest.mark.parametrize("workers", [0, 1])
def test_damaged_data_are_one_line(records, tmp_path, monkeypatch, workers):
  # As if it was damaged after it was looked at.
  monkeypatch.setattr(Records, "check", lambda self: None)
  shutil.copytree(records.directory, tmp_path / "1.0.0")
  (file,) = (tmp_path / "1.0.0").glob("*-train.array_record-*")
  content = file.read_bytes()
  file.write_bytes(bytes(len(content)))
  damaged = dataclasses.replace(records, directory=tmp_path / "1.0.0")
  with (
    Stream(Batches(damaged, 4, 0), workers=workers) as found,
    pytest.raises(
      errors.UserError, match=r"1\.0\.0 cannot be read .*prepare it ag"
    ) as error,
  ):
    next(found)
  assert "\n" not in str(error.value)


@needs_grain
def test_a_label_of_no_class_is_one_line(records, monkeypatch):
  monkeypatch.setattr(Records, "check", lambda self: None)
  most = int(LABELS.max())
  fewer = dataclasses.replace(records, classes=most)
  line = rf"1\.0\.0 has train labels from \d to {most}, and {most} classes; rem"
  with (
    Stream(Batches(fewer, SIZE, 0), workers=1) as found,
    pytest.raises(errors.UserError, match=line) as error,
  ):
    next(found)
  assert "\n" not in str(error.value)


@needs_grain
def test_threads_need_no_flags(records):
  from absl import flags

  flags.FLAGS.unparse_flags()
  with Stream(Batches(records, 4, 0)) as found:
    assert next(found)["images"].shape == (4, *SHAPE)


@needs_grain
def test_flags_that_nobody_parsed(records, monkeypatch):
  from absl import flags

  def start(self):
    raise flags.UnparsedFlagAccessError("Trying to access flag")

  monkeypatch.setattr(Stream, "_start", start)
  with pytest.raises(errors.UserError) as caught:
    next(Stream(Batches(records, 4, 0), workers=1))
  assert str(caught.value) == (
    "workers: grain starts worker processes only where absl has parsed its"
    " flags; outside of absl.app.run call"
    " absl.flags.FLAGS.mark_as_parsed() first, or use workers=0"
  )


@needs_grain
@pytest.mark.parametrize(
  ("arguments", "text"),
  [
    ({"step": -1}, "step: -1 is negative"),
    ({"workers": -2}, "workers: -2 is negative"),
    ({"ahead": 0}, "ahead: 0 is too small; at least 1"),
  ],
)
def test_numbers_of_a_stream_that_make_no_sense(records, arguments, text):
  with pytest.raises(errors.UserError) as caught:
    Stream(Batches(records, 4, 0), **arguments)
  assert str(caught.value) == text


@pytest.mark.parametrize(
  ("arguments", "text"),
  [
    ((8, 0), "batch_size: 8 is not between 1 and the 7 training examples"),
    ((0, None), "batch_size: 0 is not between 1 and the 7 training examples"),
    (
      (5, 0, None, 0, 2),
      "batch_size: 5 is not a multiple of the 2 processes that share it",
    ),
    ((4, 0, None, 2, 2), "process_index: 2 is not below 2 processes"),
    ((4, -1), "seed: -1 is not in [0, 2**32)"),
    ((4, 2**32), "seed: 4294967296 is not in [0, 2**32)"),
  ],
)
def test_numbers_of_batches_that_make_no_sense(records, arguments, text):
  with pytest.raises(errors.UserError) as caught:
    Batches(records, *arguments)
  assert str(caught.value) == text


def test_without_grain(records, monkeypatch):
  monkeypatch.setitem(sys.modules, "grain", None)
  with pytest.raises(errors.UserError) as caught:
    Stream(Batches(records, 4, 0))
  assert str(caught.value) == (
    "dataset.name: reading a data set while it is used needs the package grain;"
    " pip install 'bnjax[lab]'"
  )
