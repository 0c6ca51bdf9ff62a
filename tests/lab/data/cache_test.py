"""Decoded data sets on disk."""

import json
import logging
import os
import pathlib

import numpy as np
import pytest

from bnjax.lab.data import Dataset, Split, cache


def _dataset(first=0):
  images = np.arange(first, first + 48, dtype=np.uint8).reshape(12, 2, 2, 1)
  parts = [
    Split(images[rows], np.arange(4, dtype=np.int32))
    for rows in (slice(0, 4), slice(4, 8), slice(8, 12))
  ]
  return Dataset("toy", "toy: numbers", *parts, 4)


class _Build:
  """Makes the data set and counts how often it was asked to."""

  def __init__(self, first=0):
    self.calls = 0
    self.first = first

  def __call__(self):
    self.calls += 1
    return _dataset(self.first)


@pytest.fixture
def path(tmp_path, monkeypatch):
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(tmp_path / "cache"))
  return tmp_path / "cache" / "data" / "toy.npz"


def test_the_second_load_reads_what_the_first_wrote(path, caplog):
  build = _Build()
  with caplog.at_level(logging.INFO):
    first = cache.load_or_build("toy.npz", "a", build)
    second = cache.load_or_build("toy.npz", "a", build)
  assert build.calls == 1
  assert first.describe() == second.describe() == _dataset().describe()
  np.testing.assert_array_equal(first.test.images, second.test.images)
  assert caplog.records == []
  assert list(path.parent.iterdir()) == [path]  # no temporary file is left


def test_another_source_makes_it_stale(path):
  cache.load_or_build("toy.npz", "a", _Build())
  fresh = cache.load_or_build("toy.npz", "b", _Build(100))
  assert fresh.digest == _dataset(100).digest
  unused = _Build()
  assert cache.load_or_build("toy.npz", "b", unused).digest == fresh.digest
  assert unused.calls == 0


def _flip_a_pixel(path):
  whole = bytearray(path.read_bytes())
  at = whole.index(bytes(range(16)))
  whole[at] ^= 1
  path.write_bytes(whole)


def _cut(path):
  path.write_bytes(path.read_bytes()[:-200])


def _swap_pixels_consistently(path):
  with np.load(path) as arrays:
    changed = dict(arrays)
  changed["train.images"] = changed["train.images"] ^ 1
  np.savez(path, **changed)


def _drop_an_array(path):
  with np.load(path) as arrays:
    changed = dict(arrays)
  del changed["test.labels"]
  np.savez(path, **changed)


def _other_json(path):
  np.savez(path, meta=np.array(json.dumps([1, 2])))


def _pickle(path):
  np.savez(path, meta=np.array([{"a": 1}], object))


def _header(offset, value):
  """Of every member of the archive, in the list at its end."""

  def change(path):
    whole = bytearray(path.read_bytes())
    place = whole.find(b"PK\1\2")
    while place >= 0:
      whole[place + offset] = value
      place = whole.find(b"PK\1\2", place + 1)
    path.write_bytes(whole)

  return change


def _pipe(path):
  path.unlink()
  os.mkfifo(path)


@pytest.mark.parametrize(
  "damage",
  [
    _header(10, 99),  # a compression that nobody has: NotImplementedError
    _header(8, 1),  # encrypted: RuntimeError
    _pipe,
    _flip_a_pixel,
    _cut,
    _swap_pixels_consistently,
    _drop_an_array,
    _other_json,
    _pickle,
    lambda path: path.write_bytes(b""),
    lambda path: path.write_bytes(b"not a zip file"),
  ],
)
def test_a_damaged_file_is_built_again(path, caplog, damage):
  cache.load_or_build("toy.npz", "a", _Build())
  damage(path)
  again = _Build()
  data = cache.load_or_build("toy.npz", "a", again)
  assert (again.calls, data.digest) == (1, _dataset().digest)
  assert [record.levelname for record in caplog.records] == ["WARNING"]
  assert f"{path} is damaged (" in caplog.text
  whole = _Build()
  cache.load_or_build("toy.npz", "a", whole)
  assert whole.calls == 0


def test_a_cache_that_cannot_be_written_is_a_notice(
  tmp_path, monkeypatch, caplog
):
  (tmp_path / "file").write_text("in the way")
  monkeypatch.setenv("BNJAX_CACHE_DIR", str(tmp_path / "file"))
  build = _Build()
  for _ in range(2):
    data = cache.load_or_build("toy.npz", "a", build)
    assert data.digest == _dataset().digest
  assert build.calls == 2
  assert (
    f"cannot keep the decoded toy in {tmp_path / 'file' / 'data'} (Not a"
    " directory): it will be decoded each time; set BNJAX_CACHE_DIR to a"
    " directory that can be written"
  ) in caplog.text


def test_a_failed_write_leaves_nothing(path, monkeypatch, caplog):
  def full(file, **arrays):
    file.write(b"half")
    raise OSError(28, "No space left on device")

  monkeypatch.setattr(np, "savez", full)
  cache.load_or_build("toy.npz", "a", _Build())
  assert "No space left on device" in caplog.text
  assert list(path.parent.iterdir()) == []


def test_directory(monkeypatch):
  monkeypatch.setenv("BNJAX_CACHE_DIR", "/x")
  assert cache.directory() == pathlib.Path("/x/data")
  monkeypatch.delenv("BNJAX_CACHE_DIR")
  monkeypatch.setenv("XDG_CACHE_HOME", "/y")
  assert cache.directory() == pathlib.Path("/y/bnjax/data")
  monkeypatch.delenv("XDG_CACHE_HOME")
  monkeypatch.setenv("HOME", "/z")
  assert cache.directory() == pathlib.Path("/z/.cache/bnjax/data")
