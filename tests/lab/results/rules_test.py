import dataclasses
import json
import math

import pytest

from bnjax.lab.results import (
  Claim,
  Curves,
  HeatMap,
  Histograms,
  Layers,
  Percentiles,
  PublishedCurve,
  PublishedNumber,
  Rules,
  StepsTo,
  greater,
  less,
  within,
)

NUMBER = {
  "arm": "a", "metric": "test_accuracy", "mean": 0.5, "dataset": "mnist",
  "step": 10, "source": "a post",
}  # fmt: skip
LOG_4 = math.log(4)
CURVE = {"arm": "a", "metric": "loss", "steps": [1, 2], "values": [3.0, 2]}
CLAIM = {"text": "a is better", "metric": "loss", "arm": "a", "versus": "b"}
RULES = Rules(
  title="t",
  notes=("n",),
  published=(PublishedNumber(**NUMBER), PublishedCurve(**CURVE)),
  claims={"later": Claim(**CLAIM), "earlier": less("l", "a", 0.5, times=2)},
  figures={
    "z": Curves(metrics=("loss",), low=0, arms=("b", "a")),
    "a": Layers(probe="v", layers=("h_{1..3}",)),
  },
  tables={"v": Layers(probe="v", step=0)},
  grid_threshold=0.8,
)


def test_rules_in_json_are_the_same_rules():
  text = json.dumps(RULES.to_json())
  again = Rules.from_json(json.loads(text))
  assert again == RULES
  assert list(again.claims) == ["later", "earlier"]
  assert list(again.figures) == ["z", "a"]
  assert Rules().to_json() == {}
  assert again.numbers == RULES.published[:1]
  assert again.curves == RULES.published[1:]


def test_json_has_kinds_and_what_is_not_a_default():
  assert RULES.to_json()["figures"] == {
    "z": {"kind": "curves", "arms": ["b", "a"], "metrics": ["loss"], "low": 0},
    "a": {"kind": "layers", "probe": "v", "layers": ["h_1", "h_2", "h_3"]},
  }
  assert RULES.to_json()["published"][1] == {"kind": "curve"} | CURVE
  assert RULES.to_json()["claims"]["earlier"] == {
    "text": "l", "metric": "test_accuracy", "arm": "a", "versus": 0.5,
    "direction": "ratio_less", "margin": 2,
  }  # fmt: skip


@pytest.mark.parametrize(
  ("path", "value", "message"),
  [
    ("titel", "x", "titel is unknown; valid: title, notes, published"),
    ("title", 3, "Rules.title is 3, but should be a text"),
    ("notes", "x", "Rules.notes is 'x', but should be a list, each of it a t"),
    ("grid_threshold", "x", "Rules.grid_threshold is 'x', but should be a nu"),
    ("published", {}, "Rules.published is {}, but should be a list, each of "),
    ("published.0", 3, "published[0] is 3, but should be an object"),
    ("published.0.kind", "x", "published[0].kind is 'x'; valid: curve, numbe"),
    ("published.0.maen", 1, "published[0].maen is unknown; valid: arm, metri"),
    ("published.0.mean", None,
     "published[0]: PublishedNumber.mean is None, but should be a number"),
    ("published.0.std", float("nan"), "published[0]: PublishedNumber.std is n"),
    ("published.0.std", -1,
     "published[0]: PublishedNumber.std is -1, but should be at least 0"),
    ("published.0.metric", "x:y",
     "published[0]: PublishedNumber.metric: 'x:y': 'x' is unknown"),
    ("published.0.step", 1.5,
     "published[0]: PublishedNumber.step is 1.5, but should be a whole number"),
    ("published.0.seeds", True,
     "published[0]: PublishedNumber.seeds is True, but should be a whole "),
    ("published.1.steps", [1],
     "published[1]: PublishedCurve.steps are 1, but there are 2 values"),
    ("published.1.values", [1, "x"],
     "published[1]: PublishedCurve.values is 'x', but should be a number"),
    ("claims", [], "Rules.claims is [], but should be a mapping of names, ea"),
    ("claims.later.direction", "up",
     "claims.later: Claim.direction is 'up', but should be one of greater, "),
    ("claims.later.margin", -0.1,
     "claims.later: Claim.margin is -0.1, but should be at least 0"),
    ("claims.later.versus", None,
     "claims.later: Claim.versus is None, but should be an arm or a number"),
    ("claims.later.versus", [1],
     "claims.later: Claim.versus is [1], but should be a text or a number or"),
    ("claims.later.step", -1,
     "claims.later: Claim.step is -1, but should be at least 0"),
    ("claims.later.metric", "a>=1",
     "claims.later: Claim.metric: 'a>=1' names several layers or a threshold"),
    ("claims.later.versus_metric", "", "claims.later: Claim.versus_metric: ''"),
    ("figures.z.kind", "lines", "figures.z.kind is 'lines'; valid: curves, c"),
    ("figures.z.metric", "x", "figures.z.metric is unknown; valid: title, ar"),
    ("figures.z.metrics", ["a>=1"], "figures.z: Curves.metrics: 'a>=1' names"),
    ("figures.a.layers", ["h_{1}"], "figures.a: Layers.layers has 'h_{1}': w"),
    ("tables.v.kind", "curves", "tables.v.kind is 'curves'; valid: layers"),
    ("tables.v.reference", "pi", "tables.v: Layers.reference is 'pi', but sh"),
  ],
)  # fmt: skip
def test_a_wrong_field_of_json_is_named_in_one_line(path, value, message):
  whole = json.loads(json.dumps(RULES.to_json()))
  *groups, last = (int(p) if p.isdigit() else p for p in path.split("."))
  place = whole
  for group in groups:
    place = place[group]
  place[last] = value
  with pytest.raises(ValueError) as caught:  # noqa: PT011
    Rules.from_json(whole)
  assert str(caught.value).startswith(message)
  assert "\n" not in str(caught.value)


@pytest.mark.parametrize("field", ["mean", "dataset", "step", "source"])
def test_a_missing_field_of_json_is_named(field):
  fields = {"kind": "number"} | {k: NUMBER[k] for k in NUMBER if k != field}
  with pytest.raises(ValueError, match=rf"published\[0\].{field} is missing"):
    Rules.from_json({"published": [fields]})


@pytest.mark.parametrize(
  ("make", "message"),
  [
    (lambda: Rules(claims={"c": CLAIM}), r"Rules.claims\['c'\] is .* a Claim"),
    (lambda: Rules(published=(NUMBER,)), "Rules.published is .* a PublishedNu"),
    (lambda: Rules(tables={"c": Curves(metrics=())}), "should be a Layers"),
    (lambda: Curves(metrics="loss"), "Curves.metrics is 'loss', but should"),
    (lambda: StepsTo(metric="loss", thresholds=0.5), "StepsTo.thresholds is"),
    (lambda: Histograms(probe="v", bins=3), "unexpected keyword argument 'b"),
    (lambda: HeatMap(step="last"), "HeatMap.step is 'last', but should be a w"),
    (lambda: Percentiles(probe="v", layer="h>=1"), "'v/h>=1' names several"),
    (lambda: greater("t", "a", "b", times=0.5), "factor of a ratio and should"),
    (lambda: greater("t", "a", 0, times=2), "versus is 0: a ratio needs more"),
    (lambda: within(0.1, "t", "a", 0.5, versus_metric="loss"), "is a number "),
  ],
)
def test_a_wrong_field_of_a_config_file_is_named(make, message):
  with pytest.raises((ValueError, TypeError), match=message):
    make()


def test_shorthands_are_claims():
  assert greater("t", "a", "b", "loss") == Claim(
    text="t", arm="a", versus="b", metric="loss"
  )
  assert less("t", "a", None, times=3, versus_metric="loss").versus_arm == "a"
  assert greater("t", "a", 0.5).versus_arm is None
  same = within(0.1, "t", "a", "b", step=5)
  assert (same.direction, same.margin, same.step) == ("within", 0.1, 5)
  factor = within(1.1, "t", "a", "b", ratio=True)
  assert (factor.direction, factor.margin) == ("ratio_within", 1.1)


def number(**fields):
  own = {k: NUMBER[k] for k in ("arm", "metric", "dataset", "step", "source")}
  return own | fields


def test_independent_runs_give_their_mean_std_and_count():
  found = PublishedNumber.of_runs([0.2, 0.4, 0.6], **number())
  assert found.mean == pytest.approx(0.4)
  assert found.std == pytest.approx((0.08 / 3) ** 0.5)
  assert (found.seeds, found.values) == (3, (0.2, 0.4, 0.6))
  ratio = PublishedNumber.of_runs([1.0, 4.0], **number(relative_to="b"))
  assert ratio.mean == pytest.approx(2.0)


def test_a_range_gives_its_middle_and_is_part_of_the_margin():
  found = PublishedNumber.of_range(0.956, 0.975, **number())
  assert found.mean == pytest.approx(0.9655)
  assert (found.low, found.high) == (0.956, 0.975)
  assert found.room == pytest.approx((-0.0195, 0.0195))
  wider = PublishedNumber.of_range(0, 2, margin=0.5, **number())
  assert wider.room == (-1.5, 1.5)
  ratio = PublishedNumber.of_range(1, 4, factor=2, **number())
  assert (ratio.mean, ratio.room) == (2, pytest.approx((-LOG_4, LOG_4)))


def test_a_margin_is_a_point_of_fractions_and_a_tenth_of_others():
  assert PublishedNumber(**NUMBER).room == (-0.01, 0.01)
  loss = PublishedNumber(**NUMBER | {"metric": "loss", "mean": -3.0})
  assert loss.room == pytest.approx((-0.3, 0.3))
  ratio = PublishedNumber(**NUMBER | {"relative_to": "b"})
  assert ratio.room == pytest.approx((-math.log(1.1), math.log(1.1)))


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"mean": 1.0, "values": (1, 2), "seeds": 2}, "not those of its values"),
    ({"mean": 1.5, "values": (1, 2), "seeds": 3}, "not those of its values"),
    ({"mean": 1.0, "low": 1}, "low and high are given both or not at all"),
    ({"mean": 1.0, "low": 2, "high": 1}, "low is 2, above high, 1"),
    ({"mean": 1.0, "low": 0, "high": 4}, "is not that of its range"),
    ({"margin": 0.1, "mean": 1, "relative_to": "b"}, "is of differences: give"),
    ({"margin": -1, "mean": 1}, "margin is -1, but should be at least 0"),
    ({"factor": 0.5, "mean": 1}, "factor is 0.5, but should be at least 1"),
    ({"low": -1, "high": 1, "mean": 0, "factor": 2}, "should be above 0"),
    ({"mean": 0, "relative_to": "b"}, "is a ratio and should be above 0"),
  ],
)
def test_a_number_given_in_a_wrong_way(fields, message):
  with pytest.raises(ValueError, match=message):
    PublishedNumber(**number(**fields))
  with pytest.raises(ValueError, match="values should be of one run or more"):
    PublishedNumber.of_runs([], **number())


def test_rules_cannot_be_changed():
  with pytest.raises(dataclasses.FrozenInstanceError):
    RULES.title = "x"
