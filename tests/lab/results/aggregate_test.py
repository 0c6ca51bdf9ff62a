import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from bnjax.lab.results.aggregate import (
  Curve,
  curves,
  diverged_steps,
  over_seeds,
  total_seconds,
)


def row(arm, seed, step, **metrics):
  return {"arm": arm, "seed": seed, "step": step, **metrics}


ROWS = [
  row("b", 1, 20, loss=3.0, diverged_step=None, train_seconds=2.0),
  row("b", 0, 20, loss=None, diverged_step=17, train_seconds=2.0),
  row("b", 0, 10, loss=1.0, diverged_step=None, train_seconds=1.0),
  row("b", 1, 10, loss=2.0, diverged_step=None, train_seconds=1.0),
  row("a", 0, 20, loss=5.0, test_accuracy=0.5, compile_seconds=4.0),
]


def test_rows_become_seeds_by_steps():
  curve = curves(ROWS)["b", "loss"]
  assert (curve.seeds, curve.steps) == ((0, 1), (10, 20))
  np.testing.assert_array_equal(curve.values, [[1.0, np.nan], [2.0, 3.0]])
  assert curve.present.all()


def test_arms_keep_their_order_and_times_are_no_metrics():
  assert list(curves(ROWS)) == [
    ("b", "loss"),
    ("a", "test_accuracy"),
    ("a", "loss"),
  ]


def test_times_are_metrics_where_they_are_asked_for():
  found = curves(ROWS, times=True)
  assert found["b", "train_seconds"].at(20) == {0: 2.0, 1: 2.0}
  assert found["a", "compile_seconds"].steps == (20,)


def test_a_metric_may_start_later_than_others():
  rows = [row("a", 0, 0, test_accuracy=0.1), row("a", 0, 5, loss=2.0)]
  found = curves(rows)
  assert found["a", "test_accuracy"].steps == (0,)
  assert found["a", "loss"].steps == (5,)


def test_a_null_is_recorded_but_a_missing_row_is_not():
  rows = [*ROWS, row("b", 2, 10, loss=4.0)]
  curve = curves(rows)["b", "loss"]
  last = curve.at(20)
  assert list(last) == [0, 1]
  assert np.isnan(last[0])
  assert curve.at(15) == {}


def test_statistics_over_seeds_are_of_the_finite_values():
  mean, least, greatest = over_seeds(curves(ROWS)["b", "loss"].values)
  np.testing.assert_array_equal(mean, [1.5, 3.0])
  np.testing.assert_array_equal(least, [1.0, 3.0])
  np.testing.assert_array_equal(greatest, [2.0, 3.0])


def test_what_overflowed_has_no_part_in_a_mean():
  values = np.array([[np.inf], [2.0]])
  curve = Curve("a", "growth", (0, 1), (5,), values, values > 0)
  assert [float(x[0]) for x in over_seeds(curve.values)] == [2.0, 2.0, 2.0]


def test_a_step_without_finite_values_has_no_mean():
  curve = curves([row("a", 0, 1, loss=None)])["a", "loss"]
  assert np.isnan(over_seeds(curve.values)).all()


def test_of_rows_written_twice_the_last_counts():
  rows = [row("a", 0, 1, loss=1.0), row("a", 0, 1, loss=2.0)]
  assert curves(rows)["a", "loss"].at(1) == {0: 2.0}


def test_points_of_a_grid_are_no_one_curve():
  rows = [row("a", 0, 1, loss=v, point={"l2": v}) for v in (1.0, 2.0)]
  assert curves(rows[:1])["a", "loss"].at(1) == {0: 1.0}
  with pytest.raises(ValueError, match="arm 'a' are of 2 points of a grid"):
    curves(rows)


def test_what_is_no_number_is_no_metric():
  rows = [row("a", 0, 1, loss=1, tags=["x"], done=True, name="n")]
  assert list(curves(rows)) == [("a", "loss")]


def test_a_row_without_a_seed_is_an_error():
  with pytest.raises(ValueError, match="no 'seed'"):
    curves([{"arm": "a", "step": 1, "loss": 1.0}])


@settings(deadline=None)
@given(st.permutations(ROWS[:4]))
def test_the_order_of_rows_does_not_matter(rows):
  expected, got = curves(ROWS[:4]), curves(rows)
  np.testing.assert_array_equal(
    got["b", "loss"].values, expected["b", "loss"].values
  )


def test_a_diverged_run_is_known_by_its_first_step():
  rows = [*ROWS, row("b", 0, 30, diverged_step=17)]
  rows += [row("b", 3, 30, diverged_step=30), row("b", 3, 40, diverged_step=25)]
  assert diverged_steps(rows) == {"b": {0: 17, 3: 25}}


def test_seconds_are_running_totals_of_each_run():
  assert total_seconds(ROWS) == 2.0 + 2.0 + 4.0
  more = [row("a", 1, 20, process_seconds=100.0, train_seconds=0.5)]
  more += [row("a", 1, 20, step_seconds=100.0)]
  more += [
    row("a", 1, 20, point={"l2": l2}, train_seconds=0.5) for l2 in (0, 1)
  ]
  assert total_seconds([*ROWS, *more]) == 8.0 + 1.5
  assert total_seconds([row("a", 0, 1)]) is None
