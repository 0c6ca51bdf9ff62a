"""Data sets, each loaded once, and put on the device once a precision."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from bnjax.lab import data
from bnjax.lab.experiment.runner import Source
from bnjax.lab.train.feed import Feed, FromFiles, FromMemory
from bnjax.lab.train.sharding import Layout


class Loader:
  """Loads what specifications name."""

  def __init__(self, data_dir: str | None, layout: Layout, workers: int):
    self._data_dir = data_dir
    self._workers = workers
    self.layout = layout
    self._sources: dict[str, Source] = {}
    self.datasets: dict[str, data.Dataset | data.Files] = {}

  def load(
    self,
    spec: Mapping[str, Any],
    tell: Callable[[str], None] = lambda message: None,
  ) -> data.Dataset | data.Files:
    """The data set of a specification; `tell` is told where it is read."""
    fields = {k: v for k, v in spec["dataset"].items() if k != "center"}
    key = json.dumps([fields, spec["stream"]], sort_keys=True)
    if key not in self.datasets:
      tell(f"reading {fields['name']}")
      read = data.open_files if spec["stream"] else data.load
      self.datasets[key] = read(**fields, data_dir=self._data_dir)
    return self.datasets[key]

  def source(self, spec: Mapping[str, Any]) -> Source:
    """What trains on the data set."""
    found = self.load(spec)
    key = json.dumps([found.describe(), spec["precision"]], sort_keys=True)
    if key not in self._sources:
      if isinstance(found, data.Files):
        feed: Feed = FromFiles(found, self.layout, self._workers)
      else:
        feed = FromMemory(found, self.layout)
      self._sources[key] = Source(found.spec.num_classes, found.mean, feed)
    return self._sources[key]

  def test_set(
    self, spec: Mapping[str, Any]
  ) -> tuple[np.ndarray, np.ndarray | None]:
    """Labels and, if they are in memory, images."""
    found = self.load(spec)
    if isinstance(found, data.Files):
      return found.labels("test"), None
    return found.test.labels, found.test.images
