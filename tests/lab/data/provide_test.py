"""When nothing is prepared: what is tried, and what a person is told."""

import sys
import types

import pytest

from bnjax.lab import data, errors
from bnjax.lab.data import prepare, provide

OFFLINE = (
  "for a sample that needs no download, use dataset.name=mnist5k"
  " (--config=...:mnist5k)"
)


@pytest.fixture
def nothing(tmp_path, monkeypatch):
  """No prepared data anywhere; the text that says so."""
  monkeypatch.setenv("HOME", str(tmp_path / "home"))
  monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "data"))
  return (
    f"dataset.name: no prepared 'mnist' 3.0.1 in {tmp_path}/data,"
    f" {tmp_path}/home/tensorflow_datasets (set TFDS_DATA_DIR or data_dir to"
    " another directory)"
  )


@pytest.fixture
def tfds(monkeypatch):
  """A stand-in for TFDS that records its calls and fails as `tfds.error`."""
  fake = types.ModuleType("tensorflow_datasets")
  fake.calls, fake.error = [], None

  class Builder:
    def __init__(self, name, *, data_dir, file_format):
      fake.calls.append((name, str(data_dir), file_format))

    def download_and_prepare(self, *, download_config):
      fake.calls.append(download_config)
      if fake.error:
        raise fake.error

  fake.builder = Builder
  fake.download = types.SimpleNamespace(
    DownloadConfig=lambda manual_dir: ("manual_dir", manual_dir)
  )
  fake.downloader = types.ModuleType("downloader")
  fake.downloader.MAX_RETRIES = 10
  core = types.ModuleType("tensorflow_datasets.core.download")
  core.downloader = fake.downloader
  monkeypatch.setitem(sys.modules, "tensorflow_datasets", fake)
  monkeypatch.setitem(
    sys.modules, "tensorflow_datasets.core", types.ModuleType("core")
  )
  monkeypatch.setitem(sys.modules, "tensorflow_datasets.core.download", core)
  monkeypatch.setattr(provide, "has_tensorflow", lambda: True)
  return fake


def test_without_tensorflow(nothing, monkeypatch):
  monkeypatch.setattr(provide, "has_tensorflow", lambda: False)
  with pytest.raises(errors.UserError) as caught:
    data.load("mnist")
  assert str(caught.value) == (
    f"{nothing}; preparing it needs TensorFlow, which is not installed: pip"
    " install 'bnjax[tfds]' && python -m bnjax.lab.data.prepare mnist;"
    f" {OFFLINE}"
  )


def test_a_failed_download(nothing, tfds):
  tfds.error = ConnectionError("no route to host\nand more\n")
  with pytest.raises(errors.UserError) as caught:
    data.load("mnist")
  assert str(caught.value) == (
    f"{nothing}; downloading and preparing it failed (ConnectionError: no"
    " route to host); with the files at hand: python -m bnjax.lab.data.prepare"
    f" mnist --manual_dir=DIRECTORY; {OFFLINE}"
  )
  assert tfds.downloader.MAX_RETRIES == 10  # put back


def test_what_tfds_is_asked_for(nothing, tfds, tmp_path, capsys):
  prepare.main(["mnist", "--manual_dir=files", f"--data_dir={tmp_path}/to"])
  assert tfds.calls == [
    ("mnist:3.0.1", f"{tmp_path}/to", "array_record"),
    ("manual_dir", "files"),
  ]
  assert capsys.readouterr().out == f"{tmp_path}/to/mnist/3.0.1\n"


def test_preparing_twice_is_one(nothing, tfds, tmp_path, capsys):
  directory = tmp_path / "data" / "mnist" / "3.0.1"
  directory.mkdir(parents=True)
  (directory / "dataset_info.json").write_text("{}")
  prepare.main(["mnist"])
  assert (tfds.calls, capsys.readouterr().out) == ([], f"{directory}\n")


def test_the_command_prints_a_line_and_fails():
  with pytest.raises(SystemExit) as caught:
    prepare.main(["mnits"])
  assert caught.value.code == (
    "name: 'mnits' is not known; did you mean 'mnist'? "
    "Choices: cifar10, imagenet2012, mnist"
  )


def test_the_versions_are_the_registry_s():
  for name, version in prepare.VERSIONS.items():
    assert data.DATASETS[name].records.keywords["version"] == version


def test_data_dir_alone_is_searched(nothing, tmp_path):
  assert provide.search_path(tmp_path) == [tmp_path]
  assert len(provide.search_path()) == 2
