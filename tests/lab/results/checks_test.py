import copy

import pytest

from bnjax.lab.results import Rules, check_rules, fitting_rules, greater
from bnjax.lab.results.figure_kinds import Field, HeatMap, Layers
from bnjax.lab.results.figures import figures

NUMBER = {"kind": "number", "arm": "a", "metric": "test_accuracy", "mean": 0.5,
          "dataset": "mnist", "step": 10, "source": "a post"}  # fmt: skip
CONFIG = {
  "arms": {"a": {}, "b": {}},
  "probes": {"variance": {"measure": "variance"}},
}
RULES = {
  "published": [NUMBER],
  "claims": {
    "c": {"text": "t", "metric": "variance/h_1", "arm": "a", "versus": "b"}
  },
  "figures": {
    "both": {"kind": "curves", "metrics": ["loss", "max:test_accuracy"]},
    "deep": {"kind": "layers", "probe": "variance", "layers": ["h_{1..3}"]},
    "bars": {"kind": "steps_to", "metric": "loss", "thresholds": [0.5],
             "at_least": False, "arms": ["b"]},
  },
  "tables": {"deep": {"kind": "layers", "probe": "variance"}},
}  # fmt: skip
GRID = CONFIG | {
  "grid": {"optimizer.learning_rate": (0.1, 1.0), "model.init_scale": (1, 5)},
}
GRID_RULES = {
  "published": [
    NUMBER | {"metric": "loss@learning_rate=1,init_scale=5"},
    NUMBER | {"metric": "trained_fraction"},
    NUMBER | {"metric": "best_test_accuracy"},
    NUMBER | {"metric": "largest_learning_rate"},
  ],
  "figures": {"map": {"kind": "heat_map", "x": "model.init_scale"}},
}


def check(rules, config, metrics=()):
  check_rules(Rules.from_json(rules), config, metrics)


def changed(rules, path, value):
  rules = copy.deepcopy(rules)
  *groups, last = (int(p) if p.isdigit() else p for p in path.split("."))
  place = rules
  for group in groups:
    place = place[group]
  place[last] = value
  return rules


def test_right_rules_pass():
  check(RULES, CONFIG)
  check(RULES, CONFIG, ["loss", "test_accuracy"])
  check(GRID_RULES, GRID)
  check({}, {"arms": {"a": {}}})


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("published.0.arm", "c",
     "published.c.arm names no arm: 'c'; valid: a, b"),
    ("published.0.relative_to", "c",
     "published.a.test_accuracy.relative_to names no arm: 'c'; valid: a, b"),
    ("claims.c.versus", "c", "claims.c.versus names no arm: 'c'"),
    ("claims.c.arm", "c", "claims.c.arm names no arm: 'c'"),
    ("claims.c.metric", "norm/h_1",
     "claims.c.metric: no probe is called 'norm'; valid: variance"),
    ("claims.c.versus_metric", "growth:norm/h_{1..2}",
     "claims.c.versus_metric: no probe is called 'norm'; valid: variance"),
    ("claims.c.metric", "steps_to:x/h_1>=1",
     "claims.c.metric: no probe is called 'x'; valid: variance"),
    ("claims.c.metric", "loss@l2=1",
     "claims.c.metric: there is no grid, so a metric has no point"),
    ("figures.both.arms", ["c"], "figures.both.arms names no arm: 'c'"),
    ("figures.deep.probe", "norm",
     "figures.deep.probe is 'norm'; valid: variance"),
    ("tables.deep.probe", "norm",
     "tables.deep.probe is 'norm'; valid: variance"),
    ("figures.map", {"kind": "heat_map"},
     "figures.map: a heat map needs a grid of two fields"),
    ("tables.deep.arms", ["c"], "tables.deep.arms names no arm: 'c'; valid: a"),
  ],
)  # fmt: skip
def test_what_is_wrong_is_found_before_training(path, value, message):
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check(changed(RULES, path, value), CONFIG)
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
  rules = changed(GRID_RULES, "published.0.metric", metric)
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check(rules, GRID)
  assert str(caught.value) == f"published.a.{metric}: {message}"


def test_percentiles_of_a_grid_are_at_a_point():
  figure = {"kind": "percentiles", "probe": "variance"}
  layer = "h_1@learning_rate=1,init_scale=5"
  check(changed(GRID_RULES, "figures.map", figure | {"layer": layer}), GRID)
  with pytest.raises(
    ValueError, match=r"figures.map: the point lacks learning"
  ):
    check(changed(GRID_RULES, "figures.map", figure | {"layer": "h_1"}), GRID)


def test_a_heat_map_has_axes_of_the_grid():
  (drawn,) = figures(Rules.from_json(GRID_RULES), GRID).values()
  x, y = "model.init_scale", "optimizer.learning_rate"
  assert drawn == HeatMap(x=x, y=y)
  with pytest.raises(
    ValueError, match=r"map.x is 'l2'; valid: optimizer.learn"
  ):
    check(changed(GRID_RULES, "figures.map.x", "l2"), GRID)
  with pytest.raises(ValueError, match=r"map.y is 'model.init_scale', which"):
    check(changed(GRID_RULES, "figures.map.y", x), GRID)


def test_a_heat_map_has_axes_of_the_arms_where_it_names_them():
  arms = {"a": {"batch_size": 4}, "b": {"batch_size": 8}}
  config = CONFIG | {"arms": arms, "grid": {"model": {"depth": (5, 10)}}}
  named = {"kind": "heat_map", "x": "model.depth", "y": "batch_size"}
  check({"figures": {"map": named}}, config)
  with pytest.raises(ValueError, match="a heat map needs a grid of two fields"):
    check({"figures": {"map": named | {"y": ""}}}, config)
  with pytest.raises(ValueError, match=r"map.y is .l2.; valid: model.dep"):
    check({"figures": {"map": named | {"y": "l2"}}}, config)


def test_a_metric_that_no_run_has_is_found_where_they_are_known():
  with pytest.raises(ValueError, match="no run has 'test_accuracy'; valid: lo"):
    check(RULES, CONFIG, ["loss"])
  with pytest.raises(ValueError, match="no run has 'test_accuracy'; valid: lo"):
    check(GRID_RULES, GRID, ["loss", "validation_accuracy"])


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
  check(GRID_RULES, GRID, known)
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    check(changed(GRID_RULES, path, value), GRID, known)
  assert str(caught.value).startswith(message)


def test_figures_know_what_they_need():
  found = figures(Rules.from_json(RULES), CONFIG)
  assert list(found) == ["both", "deep", "bars"]
  assert found["deep"] == Layers(probe="variance", layers=("h_1", "h_2", "h_3"))
  assert found["both"].named_metrics() == ["loss", "max:test_accuracy"]
  assert found["bars"].named_metrics() == ["steps_to:loss<=0.5"]
  assert Field(x="l2", metrics=("loss",)).recorded_metrics() == ["loss"]
  assert Field(x="l2", metrics=("loss",)).groups == {}


def test_rules_that_fit_are_what_is_left_for_a_sweep():
  config = {
    "arms": {"a": {}},
    "grid": {"model": {"depth": (1, 2), "width": (8, 16)}},
  }
  whole = "test_accuracy@depth=1,width=8"
  rules = Rules(
    title="kept",
    claims={
      "fits": greater("", "a", 0.5, whole),
      "lacks": greater("", "a", 0.5, "test_accuracy@depth=1"),
      "arm": greater("", "a", "b", whole),
    },
  )
  left = fitting_rules(rules, config)
  assert list(left.claims) == ["fits"]
  assert left.title == "kept"
  assert fitting_rules(left, config) == left
