import copy

import pytest
from bnjax.lab.results.parse import claims, published

from bnjax.lab.results import check_rules

NUMBER = {"mean": 0.5, "dataset": "mnist", "step": 10, "source": "a post"}
CURVE = {"steps": (1, 2), "values": (3.0, 2.0)}
CLAIM = {"text": "a is better", "metric": "loss", "arm": "a", "versus": "b"}
CONFIG = {
  "arms": {"a": {}, "b": {}},
  "published": {"a": {"test_accuracy": NUMBER, "loss": CURVE}},
  "claims": {"better": CLAIM},
}


def test_rules_are_read_with_their_defaults():
  (number,), (curve,) = published(CONFIG)
  assert (number.arm, number.metric, number.mean) == ("a", "test_accuracy", 0.5)
  assert (number.std, number.seeds, number.tolerance) == (None, None, None)
  assert (curve.metric, curve.steps, curve.values) == ("loss", (1, 2), (3, 2))
  (claim,) = claims(CONFIG)
  assert (claim.name, claim.direction, claim.margin) == ("better", "greater", 0)
  check_rules(CONFIG)


@pytest.mark.parametrize("config", [{}, {"published": None, "claims": {}}])
def test_a_config_need_not_have_rules(config):
  assert published(config) == ([], [])
  assert claims(config) == []


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("published.a.test_accuracy.tolerence", 1, "tolerence is unknown; valid:"),
    ("published.a.test_accuracy.mean", "x", "mean is 'x', but should be a num"),
    ("published.a.test_accuracy.mean", None, "mean is None, but should be"),
    ("published.a.test_accuracy.std", -1, "std is -1, but should be at least"),
    ("published.a.test_accuracy", 0.5, "test_accuracy is 0.5, but should be a"),
    ("published.a.loss.steps", (1,), "loss has 1 steps, but 2 values"),
    ("published.a.loss.values", 3, "values should be a list of numbers"),
    ("published.a.loss.steps", ("x",), "loss.steps should be a list of number"),
    ("published.a.test_accuracy.low", 1, "has mean and low: give mean, or va"),
    ("published.a.test_accuracy.metric", "x:y", "'x' is unknown before a col"),
    ("published.a.test_accuracy.relative_to", "c", "relative_to names no arm"),
    ("published.a", 1, "published.a should be a mapping"),
    ("published.c", {"loss": CURVE}, "published.c names no arm: 'c'; valid: a"),
    ("claims.better.direction", "up", "direction is 'up'; valid: greater, les"),
    ("claims.better.margin", -0.1, "margin is -0.1, but should be at least 0"),
    ("claims.better.versus", None, "versus is None, but should be an arm or"),
    (
      "claims.better.versus",
      [1],
      r"versus is \[1\], but should be an arm or a",
    ),
    (
      "claims.better.step",
      -1,
      "claims.better.step is -1, but should be a step",
    ),
    ("claims.better.metric", "a>=1", "claims.better.metric: 'a>=1' names sev"),
    ("claims.better.versus_metric", "", "versus_metric: '' is not the name of"),
    ("claims.better.versus", "c", "claims.better.versus names no arm: 'c'"),
    ("claims.better.arm", "c", "claims.better.arm names no arm: 'c'"),
  ],
)
def test_a_wrong_field_is_named(path, value, message):
  config = copy.deepcopy(CONFIG)
  *groups, last = path.split(".")
  place = config
  for group in groups:
    place = place[group]
  place[last] = value
  with pytest.raises(ValueError, match=message):
    check_rules(config)


@pytest.mark.parametrize("field", ["mean", "dataset", "step", "source"])
def test_a_missing_field_is_named(field):
  config = copy.deepcopy(CONFIG)
  del config["published"]["a"]["test_accuracy"][field]
  with pytest.raises(ValueError, match=f"accuracy.{field} is missing"):
    check_rules(config)


def number(**fields):
  own = {key: NUMBER[key] for key in ("dataset", "step", "source")} | fields
  ((found,), _) = published({"published": {"a": {"test_accuracy": own}}})
  return found


def test_independent_runs_give_their_mean_std_and_count():
  found = number(values=(0.2, 0.4, 0.6))
  assert found.mean == pytest.approx(0.4)
  assert found.std == pytest.approx((0.08 / 3) ** 0.5)
  assert (found.seeds, found.values) == (3, (0.2, 0.4, 0.6))


def test_runs_of_a_ratio_give_their_geometric_mean():
  assert number(values=[1.0, 4.0], relative_to="b").mean == pytest.approx(2.0)


def test_a_range_gives_its_middle_and_a_tolerance():
  found = number(low=0.956, high=0.975)
  assert found.mean == pytest.approx(0.9655)
  assert found.tolerance == pytest.approx(0.0095)
  assert (found.low, found.high) == (0.956, 0.975)
  assert number(low=0, high=2, tolerance=0.5).tolerance == 1.5


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({}, "test_accuracy.mean is missing"),
    ({"values": []}, "test_accuracy.values should be a list of numbers"),
    ({"values": 0.5}, "test_accuracy.values should be a list of numbers"),
    ({"values": [1], "seeds": 1}, "seeds follows from values; leave it out"),
    ({"values": [1], "mean": 1}, "has mean and values: give mean, or values"),
    ({"low": 1}, "test_accuracy has low, but no high"),
    ({"high": 1}, "test_accuracy has high, but no low"),
    ({"low": "x", "high": 1}, "low is 'x', but should be a number"),
    ({"low": 2, "high": 1}, "low is 2, which is above high, 1"),
    ({"mean": 0, "relative_to": "b"}, "is a ratio and should be above 0"),
    ({"values": [1, -1], "relative_to": "b"}, "ratio and should be above 0"),
  ],
)
def test_a_number_given_in_a_wrong_way(fields, message):
  with pytest.raises(ValueError, match=message):
    number(**fields)


def test_two_rules_may_be_about_one_metric():
  rules = {
    "early": NUMBER | {"metric": "test_accuracy", "step": 5},
    "sooner": NUMBER | {"metric": "steps_to:test_accuracy>=0.95"},
    "line": CURVE | {"metric": "loss"},
  }
  numbers, (line,) = published({"published": {"a": rules}})
  assert [n.metric for n in numbers] == [
    "test_accuracy", "steps_to:test_accuracy>=0.95",
  ]  # fmt: skip
  assert line.metric == "loss"


def claim(**fields):
  (found,) = claims({"claims": {"better": CLAIM | fields}})
  return found


def test_the_margin_of_a_ratio_is_a_factor():
  assert claim(direction="ratio_less").margin == 1.0
  assert claim(direction="ratio_greater", margin=10).margin == 10
  with pytest.raises(
    ValueError, match=r"margin is 0.5, but is the factor of a"
  ):
    claim(direction="ratio_greater", margin=0.5)
  with pytest.raises(ValueError, match="versus is 0: a ratio needs more than"):
    claim(direction="ratio_greater", versus=0)


def test_a_claim_may_be_about_two_metrics_of_one_arm():
  fields = {k: v for k, v in CLAIM.items() if k != "versus"}
  (found,) = claims({"claims": {"c": fields | {"versus_metric": "loss"}}})
  assert (found.versus, found.versus_arm) == (None, "a")
  assert claim(versus=0.5).versus_arm is None
  with pytest.raises(ValueError, match="is a number and has no versus_metric"):
    claim(versus=0.5, versus_metric="loss")
