import copy

import pytest

from bnjax.results import check_rules
from bnjax.results.parse import claims, published

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
    ("published.a", 1, "published.a should be a mapping"),
    ("published.c", {"loss": CURVE}, "published.c names no arm: 'c'; valid: a"),
    ("claims.better.direction", "up", "direction is 'up'; valid: greater, les"),
    ("claims.better.margin", -0.1, "margin is -0.1, but should be at least 0"),
    ("claims.better.versus", None, "versus is None, but should be an arm or"),
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
