"""Rows as tables."""

import json
import re

import numpy as np
import pytest

from bnjax.lab.results import rows as reader
from bnjax.lab.results.rows import Table, read_table


def row(**fields):
  return {"arm": "a", "seed": 0, "step": 1} | fields


def test_a_null_is_told_from_what_is_missing():
  rows = [row(loss=None), row(step=2, acc=1, tags=["x"], done=True)]
  table = Table.of_metrics(rows)
  assert (table.metrics, table.arms, table.points) == (["loss", "acc"], ["a"],
                                                       [])  # fmt: skip
  np.testing.assert_array_equal(table.frame.loss, [np.inf, np.nan])
  assert list(table) == [row(loss=None), row(step=2, acc=1.0)]
  assert (table[1], len(table), len(table[:1])) == (row(step=2, acc=1.0), 2, 1)


def test_points_are_one_however_they_are_written():
  points = [{"x": 1, "y": "b"}, {"y": "b", "x": 1.0}, {}, None, {"x": 2}]
  table = Table.of_metrics([row(point=point) for point in points])
  assert table.points == [(("x", 1), ("y", "b")), (("x", 2),)]
  assert table.frame.point.isna().tolist() == [False, False, True, True, False]


def test_many_rows_are_read_some_at_a_time(monkeypatch):
  monkeypatch.setattr(reader, "_CHUNK", 2)
  rows = [row(arm="b", loss=1.0), row(seed=1), row(seed=2, acc=0.5), row()]
  assert list(Table.of_metrics(rows)) == rows
  probes = [row(probe="p", layer="h", values=v) for v in (1.0, [2.0], [[None]])]
  assert list(Table.of_probes(probes)) == probes


@pytest.mark.parametrize(
  ("fields", "words"),
  [
    ({"seed": 0.5}, "a row of metrics has seed 0.5, not a whole number: {"),
    ({"step": None}, "a row of metrics has step None, not a whole number: {"),
    ({"arm": 3}, "a row of metrics has arm 3, not a text: {"),
  ],
)
def test_a_row_of_another_form_is_said_in_one_line(fields, words, tmp_path):
  path = tmp_path / "metrics.jsonl"
  path.write_text(json.dumps(row()) + "\n" + json.dumps(row(**fields)) + "\n")
  with pytest.raises(ValueError, match=re.escape(words)) as error:
    read_table(path)
  assert "\n" not in str(error.value)


@pytest.mark.parametrize("values", [[[1.0], [1.0, 2.0]], {"a": 1}, "x"])
def test_values_of_a_probe_are_an_array_of_numbers(values):
  with pytest.raises(ValueError, match="has values that are no array of numb"):
    Table.of_probes([row(probe="p", layer="h", values=values)])
