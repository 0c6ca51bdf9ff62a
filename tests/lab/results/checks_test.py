import copy

import pytest

from bnjax.lab.results import check_rules
from bnjax.lab.results.figure_kinds import Field, HeatMap, Layers
from bnjax.lab.results.figures import figures, layer_tables, named_metrics

NUMBER = {"mean": 0.5, "dataset": "mnist", "step": 10, "source": "a post"}
CONFIG = {
  "arms": {"a": {}, "b": {}},
  "probes": {"variance": {"measure": "variance"}},
  "published": {"a": {"test_accuracy": NUMBER}},
  "claims": {
    "c": {"text": "t", "metric": "variance/h_1", "arm": "a", "versus": "b"}
  },
  "figures": {
    "both": {"kind": "curves", "metrics": ["loss", "max:test_accuracy"]},
    "deep": {"kind": "layers", "probe": "variance", "layers": "h_{1..3}"},
    "bars": {"kind": "steps_to", "metric": "loss", "thresholds": [0.5],
             "at_least": False, "arms": ["b"]},
  },
  "tables": {"deep": {"kind": "layers", "probe": "variance"}},
}  # fmt: skip
GRID = CONFIG | {
  "grid": {"optimizer.learning_rate": (0.1, 1.0), "model.init_scale": (1, 5)},
  "published": {
    "a": {
      "point": NUMBER | {"metric": "loss@learning_rate=1,init_scale=5"},
      "trained_fraction": NUMBER,
      "best_test_accuracy": NUMBER,
      "largest_learning_rate": NUMBER,
    }
  },
  "claims": {},
  "figures": {"map": {"kind": "heat_map", "x": "model.init_scale"}},
}


def changed(config, path, value):
  config = copy.deepcopy(config)
  *groups, last = path.split(".")
  place = config
  for group in groups:
    place = place[group]
  place[last] = value
  return config


def test_right_rules_pass():
  check_rules(CONFIG)
  check_rules(CONFIG, ["loss", "test_accuracy"])
  check_rules(GRID)
  check_rules({"arms": {"a": {}}})


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("published.a.test_accuracy.relative_to", "c",
     "published.a.test_accuracy.relative_to names no arm: 'c'; valid: a, b"),
    ("claims.c.metric", "norm/h_1",
     "claims.c.metric: no probe is called 'norm'; valid: variance"),
    ("claims.c.versus_metric", "growth:norm/h_{1..2}",
     "claims.c.versus_metric: no probe is called 'norm'; valid: variance"),
    ("claims.c.metric", "steps_to:x/h_1>=1",
     "claims.c.metric: no probe is called 'x'; valid: variance"),
    ("claims.c.metric", "loss@l2=1",
     "claims.c.metric: there is no grid, so a metric has no point"),
    ("figures.both.kind", "lines",
     "figures.both.kind is 'lines'; valid: curves, field, final, heat_map"),
    ("figures.both.metric", "loss",
     "figures.both.metric is unknown; valid: title, arms, metrics, log_x"),
    ("figures.both.metrics", 3,
     "figures.both.metrics should be a name or a list of names"),
    ("figures.both.metrics", ["loss>=1"],
     "figures.both: 'loss>=1' names several layers or a threshold"),
    ("figures.both.low", "x", "figures.both.low is 'x', but should be a num"),
    ("figures.both.arms", ["c"], "figures.both.arms names no arm: 'c'"),
    ("figures.both", 3, "figures.both is 3, but should be a mapping"),
    ("figures.deep.layers", "h_{1}",
     "figures.deep.layers: 'h_{1}': write a range of layers as {1..18}"),
    ("figures.deep.probe", "norm",
     "figures.deep.probe is 'norm'; valid: variance"),
    ("figures.deep.reference", "pi",
     "figures.deep.reference is 'pi', but should be a number"),
    ("figures.bars.thresholds", 0.5,
     "figures.bars.thresholds should be a list of numbers"),
    ("figures.both.kind", "heat_map",
     "figures.both.metrics is unknown; valid: title, arms, x, y, metric"),
    ("figures.map", {"kind": "heat_map"},
     "figures.map: a heat map needs a grid of two fields"),
    ("tables.deep.kind", "curves", "tables.deep.kind is 'curves'; valid: lay"),
    ("tables.deep.arms", "c", "tables.deep.arms names no arm: 'c'; valid: a"),
    ("grid_threshold", "x", "grid_threshold is 'x', but should be a number"),
    ("grid_metric", 3, "grid_metric is 3, but should be a metric"),
  ],
)  # fmt: skip
def test_what_is_wrong_is_found_before_training(path, value, message):
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check_rules(changed(CONFIG, path, value))
  assert str(caught.value).startswith(message)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
  ("metric", "message"),
  [
    ("loss", "loss differs over the grid: name a point, such as "
     "loss@learning_rate=0.1,init_scale=1, or one of trained_fraction, "
     "largest_learning_rate, largest_init_scale, best_loss"),
    ("loss@l2=1", "the grid has no 'l2'; valid: learning_rate, init_scale"),
    ("loss@learning_rate=2,init_scale=5",
     "the grid has no learning_rate 2; valid: 0.1, 1.0"),
    ("loss@learning_rate=1", "the point lacks init_scale"),
    ("variance/h_1", "the point lacks learning_rate"),
  ],
)  # fmt: skip
def test_names_that_no_run_of_a_grid_can_have(metric, message):
  config = changed(GRID, "published.a.point.metric", metric)
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check_rules(config)
  assert str(caught.value) == f"published.a.{metric}: {message}"


def test_percentiles_of_a_grid_are_at_a_point():
  figure = {"kind": "percentiles", "probe": "variance"}
  layer = "h_1@learning_rate=1,init_scale=5"
  check_rules(changed(GRID, "figures.map", figure | {"layer": layer}))
  with pytest.raises(
    ValueError, match=r"figures.map: the point lacks learning"
  ):
    check_rules(changed(GRID, "figures.map", figure | {"layer": "h_1"}))


def test_a_heat_map_has_axes_of_the_grid():
  (drawn,) = figures(GRID).values()
  x, y = "model.init_scale", "optimizer.learning_rate"
  assert drawn == HeatMap(x=x, y=y)
  with pytest.raises(
    ValueError, match=r"map.x is 'l2'; valid: optimizer.learn"
  ):
    check_rules(changed(GRID, "figures.map.x", "l2"))
  with pytest.raises(ValueError, match=r"map.y is 'model.init_scale', which"):
    check_rules(changed(GRID, "figures.map.y", x))


def test_a_metric_that_no_run_has_is_found_where_they_are_known():
  with pytest.raises(ValueError, match="no run has 'test_accuracy'; valid: lo"):
    check_rules(CONFIG, ["loss"])
  with pytest.raises(ValueError, match="no run has 'test_accuracy'; valid: lo"):
    check_rules(GRID, ["loss", "validation_accuracy"])


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("grid_metric", "accuracy", "grid_metric: no run has 'accuracy'; valid: "),
    ("figures.map.metric", "accuracy", "figures.map: no run has 'accuracy'"),
    ("figures.map", {"kind": "field", "x": "l2", "metrics": ["accuracy"]},
     "figures.map: no run has 'accuracy'"),
  ],
)  # fmt: skip
def test_a_figure_of_every_point_is_of_what_runs_have(path, value, message):
  known = ["loss", "test_accuracy", "validation_accuracy"]
  check_rules(GRID, known)
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check_rules(changed(GRID, path, value), known)
  assert str(caught.value).startswith(message)


def test_options_are_read_with_their_defaults():
  found = figures(CONFIG)
  assert list(found) == ["both", "deep", "bars"]
  assert found["deep"] == Layers(probe="variance", layers=("h_1", "h_2", "h_3"))
  assert named_metrics(found["both"]) == ["loss", "max:test_accuracy"]
  assert named_metrics(found["bars"]) == ["steps_to:loss<=0.5"]
  assert layer_tables(CONFIG) == {"deep": Layers(probe="variance")}
  assert figures({}) == {}
  assert Field(x="l2", metrics=("loss",)).groups == {}
