import itertools

import numpy as np
import pytest

from bnjax.lab.results import Rules
from bnjax.lab.results.grid_summary import grid_summary
from bnjax.lab.results.grids import grids
from bnjax.lab.results.points import grid_axes, matches, short_names

LR, SCALE = "optimizer.learning_rate", "model.init_scale"
CONFIG = {"grid": {LR: [0.01, 0.1, 1.0], SCALE: [0.5, 5.0]}, "steps": 20}

# (learning rate, scale) -> accuracy of seeds 0 and 1 at step 20.
FINAL = {
  (0.01, 0.5): (0.91, 0.89),
  (0.01, 5.0): (0.5, 0.5),
  (0.1, 0.5): (0.95, 0.97),
  (0.1, 5.0): (0.92, 0.3),
  (1.0, 0.5): (None, 0.2),
  (1.0, 5.0): (0.1, 0.95),
}


def rows(final=FINAL, arm="a"):
  for (rate, scale), accuracies in final.items():
    for (seed, accuracy), step in itertools.product(
      enumerate(accuracies), (0, 20)
    ):
      yield {
        "arm": arm,
        "seed": seed,
        "step": step,
        "point": {SCALE: scale, LR: rate},
        "validation_accuracy": accuracy if step else 0.1,
        "test_accuracy": 0.2 + rate / 10 + (seed and scale / 100),
        "diverged_step": 7 if accuracy is None else None,
      }


def grid(final=FINAL, **rules):
  return grids(CONFIG, list(rows(final)), Rules(**rules))["a"]


def at(curve, step=20):
  return curve.at(step), curve.bounds_at(step)


def test_points_come_in_the_order_of_their_values():
  found = grid(dict(reversed(FINAL.items())))
  assert found.fields == (LR, SCALE)
  assert found.points == tuple(FINAL)
  assert found.axis(LR) == (0.01, 0.1, 1.0)
  assert found.missing == 0


def test_rows_in_any_order_are_stacked_at_their_points():
  items = list(FINAL.items())
  found = grid(dict(items[2:] + items[:2])).stack("validation_accuracy")
  assert found.steps == (0, 20)
  expected = np.array(list(FINAL.values()), np.float64)
  np.testing.assert_array_equal(found.values[:, :, 1], expected)
  assert found.present.all()


def test_trained_fraction_is_the_share_of_points_at_the_threshold():
  values, bounds = at(grid().derive("trained_fraction"))
  assert values == {0: 3 / 6, 1: 2 / 6}
  assert bounds == {0: 0, 1: 0}
  stricter = grid(grid_threshold=0.95).derive("trained_fraction")
  assert stricter.at(20) == {0: 1 / 6, 1: 2 / 6}
  other = grid(grid_metric="test_accuracy", grid_threshold=0.2)
  assert other.derive("trained_fraction").at(20) == {0: 1.0, 1: 1.0}


def test_derived_metrics_have_every_step():
  assert grid().derive("trained_fraction").at(0) == {0: 0.0, 1: 0.0}


def test_best_is_at_the_point_best_in_validation():
  # Seed 0 is best at (0.1, 0.5), seed 1 there, too; the greatest test accuracy
  # is that of (1.0, 5.0).
  best = grid().derive("best_test_accuracy").at(20)
  assert best == pytest.approx({0: 0.21, 1: 0.215})
  assert grid().derive("best_validation_accuracy").at(20) == {0: 0.95, 1: 0.97}
  assert grid().derive("best_loss") is None
  none = dict.fromkeys(FINAL, (None, 0.5))
  values = grid(none).derive("best_validation_accuracy").at(20)
  assert np.isnan(values[0])
  assert values[1] == 0.5


def test_largest_is_over_every_value_of_the_other_fields():
  # Seed 1 trains at the grid's end: the true largest is at least that.
  values, bounds = at(grid().derive("largest_learning_rate"))
  assert values == {0: 0.1, 1: 1.0}
  assert bounds == {0: 0, 1: 1}


def test_where_nothing_trains_the_largest_is_at_most_the_smallest():
  values, bounds = at(grid(dict.fromkeys(FINAL, (0.1, 0.95))).derive(
    "largest_init_scale"
  ))  # fmt: skip
  assert values == {0: 0.5, 1: 5.0}
  assert bounds == {0: -1, 1: 1}


def test_a_missing_point_leaves_nothing_to_derive():
  few = dict(list(FINAL.items())[:5])
  found = grid(few)
  assert found.missing == 1
  assert found.derive("trained_fraction") is None
  assert found.derived() == []


def test_a_seed_that_lacks_a_point_has_no_derived_metric():
  curve = grid(FINAL | {(1.0, 5.0): (0.1,)}).derive("trained_fraction")
  assert curve.at(20) == {0: 3 / 6}


def test_derived_names_for_tables():
  assert grid().derived() == [
    "trained_fraction", "best_test_accuracy", "best_validation_accuracy",
    "largest_learning_rate", "largest_init_scale",
  ]  # fmt: skip
  assert grid().derive("largest_batch_size") is None


def test_a_point_is_found_by_short_names_and_rounded_values():
  curve = grid().at(
    [("learning_rate", 0.1 + 1e-12), ("init_scale", 5)], "validation_accuracy"
  )
  assert curve.at(20) == {0: 0.92, 1: 0.3}
  assert grid().at([("learning_rate", 0.1)], "validation_accuracy") is None
  assert grid().at([(LR, 0.2), (SCALE, 5)], "validation_accuracy") is None


def test_the_summary_has_every_point_in_columns():
  summary = grid_summary(grid())
  assert summary["fields"] == [LR, SCALE]
  assert summary["points"] == [list(point) for point in FINAL]
  assert summary["seeds"] == [2] * 6
  assert summary["diverged"] == [0, 0, 0, 0, 1, 0]
  accuracy = summary["metrics"]["validation_accuracy"]
  assert accuracy["mean"] == pytest.approx([0.9, 0.5, 0.96, 0.61, 0.2, 0.525])
  assert accuracy["std"][3] == pytest.approx(0.31)
  assert accuracy["std"][4] is None
  assert (summary["step"], summary["threshold"]) == (20, 0.9)


def test_rows_without_points_are_no_grid():
  assert grids(CONFIG, [{"arm": "a", "seed": 0, "step": 1}]) == {}


def test_axes_may_be_nested_groups():
  flat = {"grid": {"a.b": (1, 2), "a.c": "x"}}
  assert grid_axes(flat) == {"a.b": (1, 2), "a.c": ("x",)}
  assert grid_axes({"grid": {"a": {"b": (1, 2), "c": "x"}}}) == grid_axes(flat)
  assert grid_axes({}) == {}


def test_fields_that_end_alike_keep_their_groups():
  assert list(short_names(["a.x", "b.x", "b.y"]).values()) == [
    "a.x", "b.x", "y",
  ]  # fmt: skip
  point = (("a.x", 1), ("b.x", 2))
  assert matches(point, [("a.x", 1)])
  assert not matches(point, [("x", 1)])
