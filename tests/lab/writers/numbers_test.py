import numpy as np
import pytest
from rows import NETWORKS, network

from bnjax.lab.writers import numbers
from bnjax.lab.writers.numbers import Histogram


def test_names_are_paths_that_stay_below_where_they_are_put():
  assert numbers.name_of("a", 0, {}) == "a/seed_0"
  point = {"model.init_scale": 1e-05, "l2": 0}
  assert numbers.name_of("a", 2, point) == "a/init_scale=1e-05,l2=0/seed_2"
  assert numbers.name_of("../../x", 0, {}) == "_.._x/seed_0"
  assert numbers.name_of("..", 0, {}) == "_/seed_0"


def test_close_points_have_names_of_their_own():
  names = {numbers.name_of("a", 0, {"l2": v}) for v in (0.1, 0.1000001)}
  assert len(names) == 2


def test_hyperparameters_are_the_fields_that_differ():
  assert numbers.hyperparameters(NETWORKS[1:3]) == [
    {"arm": "batch_norm", "seed": 1, "norm.name": "batch_norm"},
    {"arm": "no_batch_norm", "seed": 0, "norm.name": "none"},
  ]
  rates = numbers.hyperparameters([network(rate=0.1), network(rate=1.0)])
  assert [own["optimizer.learning_rate"] for own in rates] == [0.1, 1.0]


def test_numbers_of_a_row():
  row = {"arm": "a", "seed": 3, "step": 10, "point": {"l2": 1}, "loss": 0.5}
  row |= {"diverged_step": None, "test_accuracy": 1, "note": "text"}
  assert numbers.scalars(row) == {"loss": 0.5, "test_accuracy": 1.0}


@pytest.mark.parametrize(
  ("fields", "scalars", "histograms"),
  [
    ({"values": 2}, {"p/l": 2.0}, {}),
    ({"values": [1, 3]}, {"p/l/0": 1.0, "p/l/1": 3.0}, {}),
    (
      {"values": [1, 3], "edges": [0, 1, 2], "zero_fraction": 0.5},
      {"p/l/zero_fraction": 0.5},
      {"p/l": Histogram([1, 3], [0, 1, 2])},
    ),
    ({"values": [float("nan")] * 20}, {}, {}),
  ],
)
def test_numbers_of_a_probe(fields, scalars, histograms):
  row = {"probe": "p", "layer": "l", **fields}
  assert numbers.probe_numbers(row) == (scalars, histograms)


@pytest.mark.parametrize(
  "values",
  [np.linspace(-1, 1, 100), np.full(100, 0.25), 1e17 + np.arange(100.0)],
)
def test_values_of_many_units_become_a_histogram(values):
  values = [*values.tolist(), float("inf")]
  few, many = numbers.probe_numbers(
    {"probe": "p", "layer": "l", "values": values}
  )
  assert few == {}
  assert sum(many["p/l"].counts) == 100
  assert len(many["p/l"].edges) == len(many["p/l"].counts) + 1
  assert (np.diff(many["p/l"].edges) > 0).all()
