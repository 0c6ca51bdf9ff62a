"""Rows of JSON, and the order of names."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.probes import (
  histogram,
  log10_histogram,
  percentiles,
  to_rows,
)
from bnjax.lab.probes.names import select
from bnjax.lab.results.order import natural


def test_rows_are_json_in_natural_order():
  x = jnp.array([0.0, 1.0, 1.0, 10.0])
  results = {
    "z": {"layer_10": jnp.float32(0.5), "layer_2": np.float64(2)},
    "p": {"layer_2": percentiles(x, (0, 100))},
    "h": {"layer_2": histogram(x, 2), "layer_1": log10_histogram(x, 1)},
  }
  rows = to_rows(results)
  assert json.loads(json.dumps(rows)) == rows
  assert rows == [
    {
      "probe": "h",
      "layer": "layer_1",
      "values": [3],
      "edges": [0.0, 1.0],
      "zero_fraction": 0.25,
    },
    {
      "probe": "h",
      "layer": "layer_2",
      "values": [3, 1],
      "edges": [0.0, 5.0, 10.0],
    },
    {"probe": "p", "layer": "layer_2", "values": [0.0, 10.0]},
    {"probe": "z", "layer": "layer_2", "values": 2.0},
    {"probe": "z", "layer": "layer_10", "values": 0.5},
  ]
  assert type(rows[0]["values"][0]) is int


def test_numbers_in_names_are_numbers():
  names = [
    "b_2/d_10",
    "b_10/d_1",
    "b_2/d_9",
    "b",
    "b_2",
    "a_3x",
    "a_3",
    "7",
    "²",
  ]
  assert sorted(names, key=natural) == [
    "7",
    "a_3",
    "a_3x",
    "b",
    "b_2",
    "b_2/d_9",
    "b_2/d_10",
    "b_10/d_1",
    "²",
  ]


def test_select_takes_each_name_once():
  names = ["dense_10", "dense_2", "output", "Dense_2"]
  assert select("layers", ["dense_*", "*_2"], names) == [
    "Dense_2",
    "dense_2",
    "dense_10",
  ]
  assert select("layers", [], names) == []
  with pytest.raises(UserError, match=r"^layers: 'x' matches nothing; t"):
    select("layers", ["output", "x"], names)
  with pytest.raises(UserError, match=r"'x' matches nothing; there are none$"):
    select("layers", "x", [])
