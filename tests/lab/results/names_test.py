import pytest

from bnjax.lab.results.names import (
  AtBest,
  Distance,
  Growth,
  Metric,
  OverSteps,
  Probe,
  Slope,
  StepsTo,
  expand,
  parse_name,
  words,
)


@pytest.mark.parametrize(
  ("text", "name", "in_words"),
  [
    ("test_accuracy", Metric("test_accuracy"), "test accuracy"),
    (
      "loss@learning_rate=0.1,model.init=he",
      Metric("loss", (("learning_rate", 0.1), ("model.init", "he"))),
      "loss at learning rate 0.1, init he",
    ),
    (
      "norm/dense_18/kernel",
      Probe("norm", "dense_18/kernel"),
      "norm, dense 18/kernel",
    ),
    (
      "q/activation_2[1][0]",
      Probe("q", "activation_2", (1, 0)),
      "q, activation 2[1][0]",
    ),
    (
      "steps_to:test_accuracy>=0.95",
      StepsTo(Metric("test_accuracy"), 0.95, True),
      "steps to test accuracy ≥ 0.95",
    ),
    (
      "steps_to:loss@l2=1<=1e-3",
      StepsTo(Metric("loss", (("l2", 1),)), 1e-3, False),
      "steps to loss at l2 1 ≤ 0.001",
    ),
    ("max:loss", OverSteps("max", Metric("loss")), "greatest loss"),
    (
      "distance:loss",
      Distance(Metric("loss")),
      "mean |log10| of loss over the published one",
    ),
    (
      "range:q/x[1]",
      OverSteps("range", Probe("q", "x", (1,))),
      "range of q, x[1]",
    ),
    (
      "median:d/x@best",
      AtBest(OverSteps("median", Probe("d", "x"))),
      "median over steps of d, x at the best point",
    ),
    (
      "steps_to:acc@best>=0.9",
      AtBest(StepsTo(Metric("acc"), 0.9, True)),
      "steps to acc ≥ 0.9 at the best point",
    ),
    (
      "growth:v/activation_{1..3}",
      Growth(tuple(Probe("v", f"activation_{i}") for i in (3, 2, 1))),
      "growth per layer of v, activation 3 to 1",
    ),
    (
      "growth:v/block_0/dense_{2..1}/kernel@l2=0",
      Growth(
        tuple(
          Probe("v", f"block_0/dense_{i}/kernel", point=(("l2", 0),))
          for i in (1, 2)
        )
      ),
      "growth per layer of v, block 0/dense 1/kernel at l2 0 to 2",
    ),
    (
      "slope:v/branch_{8..9}@best",
      AtBest(Slope((Probe("v", "branch_8"), Probe("v", "branch_9")), (8, 9))),
      "power of the layer's number in v, branch 8 to 9 at the best point",
    ),
  ],
)
def test_names(text, name, in_words):
  assert parse_name(text) == name
  assert words(text) == in_words


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "'' is not the name of a metric"),
    (3, "3 is not the name of a metric"),
    ("steps_to:loss", "write steps_to:METRIC>=NUMBER, or <="),
    ("steps_to:loss>=x", "write steps_to:METRIC>=NUMBER, or <="),
    ("best:loss", "'best' is unknown before a colon; valid: max, min, range"),
    ("loss>=0.5", "names several layers or a threshold: write growth:PROBE"),
    ("v/a_{1..2}", "names several layers or a threshold: write growth:PROBE"),
    ("growth:v/a_1", r"write growth:PROBE/LAYER_\{1..18\}, which goes from"),
    ("growth:v/a_{2..2}", r"write growth:PROBE/LAYER_\{1..18\}, which goes"),
    ("slope:v/a_1", r"write slope:PROBE/LAYER_\{1..18\}$"),
    ("slope:v/a_{0..3}", "number 0 has no logarithm; begin at 1"),
    ("/layer", r"write PROBE/LAYER or PROBE/LAYER\[INDEX\]"),
    ("q/x[1", r"write PROBE/LAYER or PROBE/LAYER\[INDEX\]"),
    ("loss@l2", "write a point as METRIC@FIELD=VALUE,..."),
    ("loss@l2=", "write a point as METRIC@FIELD=VALUE,..."),
  ],
)
def test_what_is_no_name_is_told_what_would_be(text, message):
  with pytest.raises(ValueError, match=message) as caught:
    parse_name(text)
  assert "\n" not in str(caught.value)


def test_a_name_that_is_none_is_shown_as_it_is():
  assert words("loss@l2") == "loss@l2"


def test_patterns():
  assert expand("a_{2..0}/b") == ["a_2/b", "a_1/b", "a_0/b"]
  assert expand("input") == ["input"]
  with pytest.raises(ValueError, match=r"write a range of layers as \{1..18\}"):
    expand("a_{1,2}")
