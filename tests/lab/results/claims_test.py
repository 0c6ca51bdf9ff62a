import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import stats

from bnjax.lab.results.claims import judge_claim
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.rules import Claim, Rules

OURS = [0.951, 0.948, 0.955, 0.949, 0.953]
B = [0.93, 0.95, 0.94, 0.92, 0.96]


RULES = Rules(grid_metric="acc")


def rows(values, arm, step=10, metric="acc"):
  return [
    {"arm": arm, "seed": seed, "step": step, metric: value}
    for seed, value in enumerate(values)
  ]


def measured(rows, steps=None, rules=RULES, **config):
  arms = {a: {"steps": n} for a, n in (steps or {"a": 10, "b": 10}).items()}
  config = {"arms": arms, "dataset": {"name": "mnist"}} | config
  return Measured(config, rows, rules=rules)


def claim(a, b, versus="b", steps=None, **fields):
  fields = {"metric": "acc", "arm": "a"} | fields
  rule = Claim(text="a against b", versus=versus, **fields)
  return judge_claim(rule, measured([*rows(a, "a"), *rows(b, "b")], steps))


def test_claim_interval_is_that_of_the_paired_t_test():
  got = claim(OURS, B)
  expected = stats.ttest_rel(OURS, B).confidence_interval(0.95)
  assert got.interval == pytest.approx(tuple(expected))
  assert got.difference == pytest.approx(0.0112)
  assert (got.verdict, got.seeds) == ("undecided", 5)


def test_claim_is_paired_by_seed_not_by_order():
  found = measured([*rows(OURS, "a"), *rows(OURS, "b")[::-1]])
  rule = Claim(text="", metric="acc", arm="a", versus="b")
  got = judge_claim(rule, found)
  assert (got.difference, got.interval) == (0.0, (0.0, 0.0))


@pytest.mark.parametrize(
  ("direction", "margin", "verdict"),
  [
    # The difference is 0.2 with a 95% interval of 0.2 +- 0.0098.
    ("greater", 0.0, "holds"),
    ("greater", 0.18, "holds"),
    ("greater", 0.195, "undecided"),
    ("greater", 0.22, "does not hold"),
    ("less", 0.0, "does not hold"),
    ("within", 0.22, "holds"),
    ("within", 0.2, "undecided"),
    ("within", 0.18, "does not hold"),
  ],
)
def test_claim_verdicts(direction, margin, verdict):
  a = [0.69, 0.70, 0.71, 0.695, 0.705]
  got = claim(a, [0.5] * 5, direction=direction, margin=margin)
  assert got.interval == pytest.approx((0.190184, 0.209816), abs=1e-6)
  assert got.verdict == verdict


@pytest.mark.parametrize("direction", ["greater", "less", "within"])
@pytest.mark.parametrize("margin", [0.0, 0.018, 0.03, 0.3])
def test_a_claim_holds_where_p_is_below_5_percent(direction, margin):
  for b in (B, [0.0] * 5):
    got = claim(OURS, b, direction=direction, margin=margin)
    assert (got.p < 0.05) == (got.verdict == "holds")


def test_p_is_that_of_the_paired_t_test():
  got = claim(OURS, B)
  assert got.p == pytest.approx(stats.ttest_rel(OURS, B).pvalue)
  other = claim(OURS, B, direction="less", margin=0.02)
  shifted = np.subtract(B, OURS) - 0.02
  test = stats.ttest_1samp(shifted, 0, alternative="greater")
  assert other.p == pytest.approx(min(1, 2 * test.pvalue))
  same = claim(OURS, B, direction="within", margin=0.03)  # two one-sided tests
  pairs = np.subtract(OURS, B)
  upper = stats.ttest_1samp(pairs, 0.03, alternative="less").pvalue
  lower = stats.ttest_1samp(pairs, -0.03, alternative="greater").pvalue
  assert same.p == pytest.approx(2 * max(lower, upper))


def test_an_undecided_claim_says_how_many_seeds_would_decide():
  got = claim(OURS, B)  # .0112 +- .0230
  pairs = np.subtract(OURS, B)
  half = lambda n: stats.t.ppf(0.975, n - 1) * pairs.std(ddof=1) / n**0.5
  assert half(got.needed) < 0.0112 <= half(got.needed - 1)
  assert got.reason == f"about {got.needed} seeds like these would decide"
  on = claim([0.7, 0.9], [0.5] * 2, margin=0.3)
  assert (on.needed, on.reason) == (
    None,
    "not even 10,000 seeds like these would decide",
  )


def test_claim_less_is_greater_with_the_arms_exchanged():
  a, b = [0.2, 0.21, 0.19], [0.5, 0.49, 0.51]
  assert claim(a, b, direction="less", margin=0.2).verdict == "holds"
  assert claim(a, b, direction="less", margin=0.4).verdict == "does not hold"


@settings(deadline=None)
@given(
  st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=2, max_size=6),
  st.floats(0, 0.5),
)
def test_a_claim_and_its_opposite_never_both_hold(pairs, margin):
  a, b = [p[0] for p in pairs], [p[1] for p in pairs]
  verdicts = {
    claim(a, b, direction=d, margin=margin).verdict
    for d in ("greater", "less", "within")
  }
  assert sum(1 for _ in verdicts if _ == "holds") <= 1
  greater = claim(a, b, margin=margin)
  exchanged = claim(b, a, direction="less", margin=margin)
  assert greater.verdict == exchanged.verdict


def test_claim_against_a_number_is_a_one_sample_test():
  got = claim(OURS, B, versus=0.9)
  low, high = stats.ttest_1samp(OURS, 0.9).confidence_interval(0.95)
  assert got.interval == pytest.approx((low - 0.9, high - 0.9))
  assert got.verdict == "holds"


def test_claim_about_tiny_numbers():
  a, b = [1.9e-44, 2.1e-44, 2.0e-44], [1e-44] * 3
  assert claim(a, b).verdict == "holds"
  assert claim(b, a).verdict == "does not hold"
  assert claim(a, b, direction="within", margin=1e-45).verdict == (
    "does not hold"
  )


def test_claim_without_variance():
  same = [0.25] * 3
  assert claim(same, same).verdict == "does not hold"
  assert claim([0.75] * 3, same, margin=0.25).verdict == "holds"
  assert claim([0.75] * 3, same, margin=0.5).verdict == "does not hold"


@pytest.mark.parametrize(
  ("a", "b", "fields", "reason"),
  [
    ([0.5], B, {}, "1 common seed: an interval needs at least 2"),
    ([0.5], B, {"versus": 0.1}, "1 seed: an interval needs at least 2"),
    (OURS, [], {}, "b has no acc at step 10"),
    (OURS, B, {"step": 20}, "a has no acc at step 20"),
    (OURS, B, {"steps": {"a": 10, "b": 99}}, "b has no acc at step 99"),
    (OURS, [None, *B[1:4], None], {}, "acc is not finite for seed 0, 4"),
  ],
)
def test_claim_that_cannot_be_judged_says_why(a, b, fields, reason):
  got = claim(a, b, **fields)
  assert (got.verdict, got.reason) == ("cannot be compared", reason)


def test_claim_can_be_judged_at_an_earlier_step():
  early = [*rows([0.9, 0.91], "a", 5), *rows([0.1, 0.12], "b", 5)]
  late = [*rows([0.5, 0.6], "a", 10), *rows([0.6, 0.5], "b", 10)]
  found = measured(early + late)
  rule = Claim(text="", metric="acc", arm="a", versus="b", step=5, margin=0.5)
  assert judge_claim(rule, found).verdict == "holds"
  last = dataclasses.replace(rule, step=None)
  assert judge_claim(last, found).verdict == "undecided"


def test_claim_of_another_data_set_cannot_be_compared():
  got = claim(OURS, B, dataset="imagenet")
  assert got.verdict == "cannot be compared"
  assert got.reason == "measured on mnist, claimed of imagenet"


def test_claim_between_two_metrics_of_one_arm():
  found = measured(
    [*rows([0.9, 0.8, 0.7], "a")]
    + [
      {"arm": "a", "seed": s, "step": 10, "population": v}
      for s, v in enumerate([0.91, 0.82, 0.73])
    ]
  )
  rule = Claim(text="", metric="population", arm="a", versus_metric="acc")
  got = judge_claim(rule, found)
  # 0.02 +- 4.302653 * 0.01 / sqrt(3)
  assert got.difference == pytest.approx(0.02)
  assert got.interval == pytest.approx((-0.00484138, 0.04484138))
  assert got.verdict == "undecided"


def test_claim_of_a_ratio_has_the_interval_of_its_logarithm():
  got = claim(
    [12.0, 25.0, 52.0], [10.0, 20.0, 40.0], direction="ratio_greater", margin=1
  )
  logs = np.log([1.2, 1.25, 1.3])
  low, high = stats.ttest_1samp(logs, 0).confidence_interval(0.95)
  assert got.ratio == pytest.approx(1.95 ** (1 / 3))
  assert got.ratio_interval == pytest.approx((np.exp(low), np.exp(high)))
  assert (got.difference, got.interval) == (None, None)


@pytest.mark.parametrize(
  ("direction", "margin", "verdict"),
  [
    # The ratio is 1.2493 with a 95% interval of [1.1311, 1.3799].
    ("ratio_greater", 1.0, "holds"),
    ("ratio_greater", 1.13, "holds"),
    ("ratio_greater", 1.2, "undecided"),
    ("ratio_greater", 1.39, "does not hold"),
    ("ratio_less", 1.0, "does not hold"),
    ("ratio_within", 1.38, "holds"),
    ("ratio_within", 1.2, "undecided"),
    ("ratio_within", 1.13, "does not hold"),
  ],
)
def test_ratio_claim_verdicts(direction, margin, verdict):
  a, b = [12.0, 25.0, 52.0], [10.0, 20.0, 40.0]
  got = claim(a, b, direction=direction, margin=margin)
  assert got.verdict == verdict
  opposite = {"ratio_greater": "ratio_less", "ratio_less": "ratio_greater"}
  turned = opposite.get(direction, direction)
  exchanged = claim(b, a, direction=turned, margin=margin)
  assert exchanged.verdict == verdict
  assert exchanged.ratio == pytest.approx(1 / got.ratio)


def test_ratio_against_a_number():
  got = claim([20.0, 20.0], [], 2.0, direction="ratio_greater", margin=5)
  assert got.ratio == pytest.approx(10)
  assert got.verdict == "holds"


def test_ratio_of_nothing_cannot_be_compared():
  got = claim([1.0, 0.0], [1.0, 1.0], direction="ratio_greater", margin=1)
  assert got.reason == "acc is not above 0 for seed 1: no ratio"


STEPS = {"a": 40, "b": 40}


def reach(*runs, arm):
  """Rows of runs that reach 0.95 at a step, or never, of 10, 20, 30, 40."""
  for seed, at in enumerate(runs):
    for step in (10, 20, 30, 40):
      accuracy = 0.96 if at and step >= at else 0.5
      yield {"arm": arm, "seed": seed, "step": step, "acc": accuracy}


def test_the_interval_of_a_bound_has_one_end():
  got = sooner((10, 20), (None, None))
  # Differences of at most -30 and -20.
  assert got.difference == pytest.approx(-25)
  assert got.interval == pytest.approx((-np.inf, -25 + 12.7062 * 5), abs=1e-3)


def sooner(a, b, **fields):
  fields = {"direction": "less", "margin": 0.0} | fields
  rule = Claim(
    text="", metric="steps_to:acc>=0.95", arm="a", versus="b",
    **fields,
  )  # fmt: skip
  both = [*reach(*a, arm="a"), *reach(*b, arm="b")]
  return judge_claim(rule, measured(both, STEPS))


def test_steps_to_a_threshold_are_compared_seed_by_seed():
  got = sooner((10, 10, 20), (30, 40, 40))
  # Differences -20, -30, -20: -23.333 +- 4.302653 * 5.7735 / sqrt(3)
  assert got.difference == pytest.approx(-70 / 3)
  assert got.interval == pytest.approx((-37.675509, -8.991157), abs=1e-5)
  assert (got.verdict, got.bound, got.reason) == ("holds", 0, "")


@pytest.mark.parametrize(
  ("a", "b", "fields", "verdict", "bound"),
  [
    # b never gets there: the true difference is at most this one, -30.
    ((10, 10), (None, None), {}, "holds", -1),
    ((10, 10), (40, None), {}, "holds", -1),
    ((10, 10), (None, None), {"margin": 35}, "undecided", -1),
    ((10, 10), (None, None), {"direction": "greater"}, "does not hold", -1),
    # a never does: the difference is at least 30.
    ((None, None), (10, 10), {}, "does not hold", 1),
    ((None, None), (10, 10), {"direction": "greater"}, "holds", 1),
    ((40, None), (40, 40), {"direction": "greater"}, "undecided", 1),
    # As a ratio: b needs at least 4 times as many steps.
    ((10, 10), (None, None), {"direction": "ratio_less", "margin": 3.9},
     "holds", -1),
    ((10, 10), (None, None), {"direction": "ratio_less", "margin": 10},
     "undecided", -1),
    ((10, 10), (None, None), {"direction": "within", "margin": 20},
     "does not hold", -1),
    ((10, 10), (None, None), {"direction": "within", "margin": 60},
     "undecided", -1),
  ],
)  # fmt: skip
def test_never_is_a_bound_and_changes_no_verdict(a, b, fields, verdict, bound):
  got = sooner(a, b, **fields)
  assert (got.verdict, got.bound) == (verdict, bound)
  assert bool(got.reason) == (verdict == "undecided")


def test_an_upper_bound_outside_of_a_range_may_lie_within_it():
  # Nothing trains: the largest rates are at most 0.01, and 0.0001 perhaps.
  rows = [
    {"arm": "a", "seed": seed, "step": 10, "acc": 0.1, "point": {"rate": rate}}
    for seed in (0, 1)
    for rate in (0.01, 0.1)
  ]
  found = measured(rows, grid={"rate": (0.01, 0.1)})
  rule = Claim(
    text="", metric="largest_rate", arm="a", versus=0.0001,
    direction="within", margin=0.001,
  )  # fmt: skip
  got = judge_claim(rule, found)
  assert (got.verdict, got.bound) == ("undecided", -1)
  other = judge_claim(dataclasses.replace(rule, versus=1.0), found)
  assert (other.verdict, other.bound) == ("does not hold", -1)


def of_grid(largest, margin, direction="ratio_greater"):
  """A claim on rates from 0.01 to 100: arm -> the largest that trains."""
  axis = (0.01, 0.1, 1.0, 10.0, 100.0)
  rows = [
    {"arm": arm, "seed": seed, "step": 10, "acc": float(rate <= last),
     "point": {"rate": rate}}
    for arm, last in largest.items()
    for seed in (0, 1)
    for rate in axis
  ]  # fmt: skip
  found = measured(rows, grid={"rate": axis})
  rule = Claim(
    text="", metric="largest_rate", arm="a", versus="b",
    direction=direction, margin=margin,
  )  # fmt: skip
  return judge_claim(rule, found)


def test_a_grid_decides_no_finer_than_its_values():
  # a trains up to somewhere in [1, 10), b up to somewhere in [0.01, 0.1).
  got = of_grid({"a": 1.0, "b": 0.01}, margin=20.0)
  assert got.ratio == pytest.approx(100)
  assert got.ratio_interval == pytest.approx((10, 1000))
  assert got.verdict == "undecided"
  assert got.reason == "the values of the grid lie too far apart to tell"
  for margin, verdict in ((9.0, "holds"), (1001.0, "does not hold")):
    got = of_grid({"a": 1.0, "b": 0.01}, margin=margin)
    assert (got.verdict, got.reason) == (verdict, "")
  # At the end of the axis: at least 100, and b's below 10: above 10, and no
  # end of it is known.
  got = of_grid({"a": 100.0, "b": 1.0}, margin=9.0)
  assert got.ratio == pytest.approx(10)
  assert got.ratio_interval == pytest.approx((10, np.inf))
  assert (got.verdict, got.bound) == ("holds", 1)
  assert of_grid({"a": 100.0, "b": 1.0}, margin=11.0).reason == (
    "the ratio is known only to be at least this"
  )


def test_a_difference_of_a_grid_is_no_finer_either():
  got = of_grid({"a": 10.0, "b": 1.0}, margin=0.5, direction="greater")
  assert got.interval == pytest.approx((0, 99))
  assert got.verdict == "undecided"


def test_an_undecided_bound_says_so():
  got = sooner((10, 10), (None, None), direction="ratio_less", margin=10)
  assert got.reason == "the ratio is known only to be at most this"


def test_two_arms_that_never_get_there_cannot_be_compared():
  got = sooner((10, None), (20, None))
  assert got.verdict == "cannot be compared"
  assert got.reason == (
    "for seed 1, steps to acc ≥ 0.95 of a and steps to acc ≥ 0.95 of b are "
    "both known only to be at least what was recorded"
  )


def test_bounds_on_both_sides_cannot_be_compared():
  got = sooner((10, None), (None, 10))
  assert got.reason == (
    "the difference is bounded from below for some seeds only"
  )


def test_an_unfinished_run_is_not_said_never_to_get_there():
  rows = [*reach(10, 10, arm="a"), *reach(None, None, arm="b")]
  rule = Claim(
    text="", metric="steps_to:acc>=0.95", arm="a", versus="b",
    direction="less",
  )  # fmt: skip
  got = judge_claim(rule, measured(rows, {"a": 40, "b": 400}))
  assert got.reason == "b has no steps_to:acc>=0.95 at step 400"


def test_a_time_that_seeds_share_is_not_compared():
  rows = [
    {"arm": arm, "seed": seed, "step": 10, "train_seconds": seconds}
    for arm, seconds in (("a", 3.0), ("b", 2.0))
    for seed in (0, 1)
  ]
  rule = Claim(
    text="", metric="train_seconds", arm="a", versus="b",
    direction="ratio_greater", margin=1.0,
  )  # fmt: skip
  got = judge_claim(rule, measured(rows))
  assert got.reason == "a: its 2 seeds ran together and took one time, not 2"
  rows[0]["train_seconds"], rows[2]["train_seconds"] = 3.3, 2.2
  got = judge_claim(rule, measured(rows))
  assert (got.ratio, got.verdict) == (pytest.approx(1.5), "holds")


def probe(arm, seed, values):
  return [
    {"arm": arm, "seed": seed, "step": 0, "probe": "v",
     "layer": f"activation_{layer}", "values": value}
    for layer, value in values.items()
  ]  # fmt: skip


def test_growth_per_layer_of_a_gradient_against_the_theory():
  found = Measured(
    {"arms": {"a": {}}, "steps": 100},
    [],
    [
      *probe("a", 0, {1: 8.0, 2: 3.0, 3: 2.0, 4: 1.0}),
      *probe("a", 1, {1: 27.0, 2: 1.0, 3: 2.0, 4: 1.0}),
    ],
  )
  rule = Claim(
    text="", metric="growth:v/activation_{1..4}", arm="a",
    versus=2.5, direction="within", margin=10.0,
  )  # fmt: skip
  got = judge_claim(rule, found)
  # 2 and 3 per layer; 12.7062 * 0.5 around 2.5
  assert got.difference == pytest.approx(0.0)
  assert got.interval == pytest.approx((-6.353102, 6.353102))
  assert got.verdict == "holds"
