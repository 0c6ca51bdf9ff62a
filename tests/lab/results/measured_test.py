import dataclasses

import numpy as np
import pytest

from bnjax.lab.results import PublishedCurve, Rules, greater
from bnjax.lab.results.grids import PLAIN
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.thin import thick, thin


def rows(arm="a", seeds=(0, 1), steps=(0, 10, 20)):
  for seed in seeds:
    for step in steps:
      row = {"arm": arm, "seed": seed, "step": step, "process_seconds": 1.0}
      row["acc"] = (step + seed) / 20
      yield row | ({"loss": 1.0 - step / 40} if step else {})


def measured(found=None, probes=(), rules=PLAIN, **config):
  config = {"arms": {"a": {}}, "steps": 20} | config
  return Measured(
    config, list(rows() if found is None else found), list(probes), rules
  )


def test_metrics_do_not_list_times_but_find_them():
  found = measured()
  assert found.metrics("a") == ["loss", "acc"]
  assert found.curve("a", "process_seconds").at(20) == {0: 1.0, 1: 1.0}
  assert found.values("a", "process_seconds").shared
  assert not found.values("a", "acc").shared


def test_values_are_those_of_the_step_the_arm_is_to_reach():
  found = measured()
  assert found.values("a", "acc").numbers == {0: 1.0, 1: 1.05}
  assert found.values("a", "acc", 10).numbers == {0: 0.5, 1: 0.55}
  assert found.values("a", "nothing") == ({}, {}, 20, False, {})
  assert measured(steps=30).values("a", "acc").numbers == {}


def test_steps_to_is_the_first_recorded_step_beyond_the_threshold():
  values = measured().values("a", "steps_to:acc>=0.55")
  assert values.numbers == {0: 20.0, 1: 10.0}
  assert values.bounds == {0: 0, 1: 0}
  down = measured().values("a", "steps_to:loss<=0.75")
  assert down.numbers == {0: 10.0, 1: 10.0}


def test_steps_to_what_is_never_reached_is_at_least_the_last_step():
  values = measured().values("a", "steps_to:acc>=1.01")
  assert values.numbers == {0: 20.0, 1: 20.0}
  assert values.bounds == {0: 1, 1: 0}


def test_distance_is_the_mean_size_of_the_logarithm_over_published_steps():
  line = PublishedCurve(arm="a", metric="acc", steps=(10, 20), values=(5, 0.1))
  rules = Rules(published=(line,))
  found = measured([*rows(), *rows("b")], rules=rules)
  numbers = found.values("a", "distance:acc").numbers
  assert numbers[0] == pytest.approx(1.0)  # .5 for 5, 1 for .1
  assert numbers[1] == pytest.approx((np.log10(5 / 0.55) + np.log10(10.5)) / 2)
  assert found.curve("b", "distance:acc") is None  # none is published
  assert measured(rules=rules).curve("a", "distance:loss") is None
  early = measured(rows(steps=(0, 10)), rules=rules)
  assert early.curve("a", "distance:acc") is None


def test_a_seed_that_stopped_early_has_no_steps_to():
  found = [*rows(seeds=(0,)), *rows(seeds=(1,), steps=(0, 10))]
  assert measured(found).values("a", "steps_to:acc>=2").numbers == {0: 20.0}
  assert measured(found).values("a", "steps_to:acc>=0.5").numbers == {
    0: 10.0, 1: 10.0,
  }  # fmt: skip


def test_a_number_that_is_not_finite_reaches_nothing():
  found = list(rows())
  found[2]["acc"] = None
  values = measured(found).values("a", "steps_to:acc>=0.9")
  assert values.bounds == {0: 1, 1: 0}


@pytest.mark.parametrize(
  ("kind", "expected"), [("max", 1.05), ("min", 0.05), ("range", 1.0)]
)
def test_extremes_are_over_steps(kind, expected):
  values = measured().values("a", f"{kind}:acc")
  assert values.numbers[1] == pytest.approx(expected)
  assert values.step == 20


@pytest.mark.parametrize(("kind", "expected"), [("mean", 2.0), ("median", 1)])
def test_means_are_over_steps_with_a_number(kind, expected):
  numbers = [0.0, 1.0, None, 5.0]
  found = [
    {"arm": "a", "seed": 0, "step": 5 * i, "loss": x}
    for i, x in enumerate(numbers)
  ]
  assert measured(found).values("a", f"{kind}:loss", 15).numbers == {
    0: expected
  }


def test_extremes_of_what_was_never_finite_are_not_either():
  found = [{"arm": "a", "seed": 0, "step": 20, "loss": None}]
  assert np.isnan(measured(found).values("a", "max:loss").numbers[0])


def probe(value, layer, seed=0, step=0):
  return {"arm": "a", "seed": seed, "step": step, "probe": "v", "layer": layer,
          "values": value}  # fmt: skip


def test_growth_is_the_geometric_mean_of_the_ratios_of_layers():
  probes = [probe(v, f"h_{i}") for i, v in ((1, 54.0), (2, 9.0), (3, 6.0))]
  found = measured(probes=probes)
  # Back from layer 3: 9/6 and 54/9, of geometric mean 3.
  values = found.values("a", "growth:v/h_{1..3}")
  assert values.numbers == {0: pytest.approx(3.0)}
  assert values.step == 0
  forward = found.values("a", "growth:v/h_{3..1}")
  assert forward.numbers == {0: pytest.approx(1 / 3)}


def test_growth_between_numbers_whose_ratio_overflows():
  probes = [probe(1e300, "h_0"), probe(1.0, "h_1"), probe(1e-300, "h_2")]
  values = measured(probes=probes).values("a", "growth:v/h_{0..2}")
  assert values.numbers == {0: pytest.approx(1e300)}


def test_growth_needs_every_layer_and_positive_numbers():
  probes = [probe(1.0, "h_1"), probe(0.0, "h_2"), probe(4.0, "h_3")]
  found = measured(probes=probes)
  assert np.isnan(found.values("a", "growth:v/h_{1..3}").numbers[0])
  assert found.curve("a", "growth:v/h_{0..3}") is None
  other = [probe(1.0, "h_1", seed=0), probe(1.0, "h_2", seed=1)]
  assert measured(probes=other).curve("a", "growth:v/h_{1..2}") is None


def test_slope_is_the_power_of_the_number_of_the_layer():
  probes = [probe(5.0 * i**-1.5, f"h_{i}") for i in range(1, 9)]
  values = measured(probes=probes).values("a", "slope:v/h_{2..8}")
  assert values.numbers == {0: pytest.approx(-1.5)}
  # Least squares, against NumPy's.
  y = np.array([1.0, 3.0, 2.0, 7.0])
  found = measured(probes=[probe(v, f"h_{i}") for i, v in enumerate(y, 4)])
  wanted = np.polyfit(np.log([4, 5, 6, 7]), np.log(y), 1)[0]
  for name in ("slope:v/h_{4..7}", "slope:v/h_{7..4}"):
    assert found.values("a", name).numbers == {0: pytest.approx(wanted)}
  other = measured(probes=[probe(1.0, "h_1"), probe(-1.0, "h_2")])
  assert np.isnan(other.values("a", "slope:v/h_{1..2}").numbers[0])
  assert other.curve("a", "slope:v/h_{1..3}") is None


def test_a_probe_is_looked_at_where_it_last_looked():
  found = measured(probes=[probe(1.0, "h_1"), probe(2.0, "h_1", step=5)])
  assert found.final_step("a", "v/h_1") == 5
  assert found.final_step("a", "range:v/h_1") == 5
  assert found.final_step("a", "acc") == 20


def test_a_metric_of_a_grid_is_found_at_a_point_only():
  found = measured([
    row | {"point": {"l2": l2}} for l2 in (0.0, 0.5) for row in rows()
  ], grid={"l2": (0.0, 0.5)}, rules=Rules(grid_metric="acc"))  # fmt: skip
  assert found.curve("a", "acc") is None
  assert found.values("a", "acc@l2=0.5").numbers == {0: 1.0, 1: 1.05}
  assert found.values("a", "steps_to:acc@l2=0>=0.5").numbers[0] == 10.0
  assert found.values("a", "trained_fraction").numbers == {0: 1.0, 1: 1.0}
  assert found.values("a", "process_seconds@l2=0").shared
  assert found.metrics("a")[0] == "trained_fraction"


def best(rules=PLAIN):
  """At l2 0 seed 0 is best, at l2 .5 seed 1; a probe sees 10 l2 + seed."""
  final = {(0, 0.0): 0.9, (0, 0.5): 0.8, (1, 0.0): 0.3, (1, 0.5): 0.4}
  found, probes = [], []
  for (seed, l2), acc in final.items():
    common = {"arm": "a", "seed": seed, "point": {"l2": l2}}
    for step, value in ((0, 0.0), (10, 1.0 - acc), (20, acc)):
      found.append(common | {"step": step, "acc": value})
      probes.append(
        probe(10 * l2 + seed + step, "h", seed, step) | {"point": {"l2": l2}}
      )
  rules = dataclasses.replace(rules, grid_metric="acc")
  return measured(found, probes=probes, rules=rules, grid={"l2": (0.0, 0.5)})


def test_the_best_point_is_that_of_each_seed_at_the_last_step():
  found = best()
  assert found.values("a", "acc@best").numbers == {0: 0.9, 1: 0.4}
  # Of another step, still at the point that is best at the last.
  assert found.values("a", "acc@best", 10).numbers[1] == pytest.approx(0.6)
  assert found.values("a", "v/h@best").numbers == {0: 20.0, 1: 26.0}
  assert found.values("a", "mean:v/h@best").numbers == {0: 10.0, 1: 16.0}
  reached = found.values("a", "steps_to:acc>=0.7@best")
  assert (reached.numbers, reached.bounds) == ({0: 20, 1: 20}, {0: 0, 1: 1})


def test_no_point_is_best_without_a_grid_or_with_a_point_missing():
  assert measured().curve("a", "acc@best") is None
  point = {"point": {"l2": 0.0}}
  found = measured(
    [row | point for row in rows()],
    grid={"l2": (0.0, 0.5)},
    rules=Rules(grid_metric="acc"),
  )
  assert found.curve("a", "acc@best") is None


def test_what_rules_ask_of_the_best_points_is_kept():
  claims = {
    "probe": greater("t", "a", 0.0, "mean:v/h@best"),
    "steps": greater("t", "a", 0.0, "steps_to:acc>=0.55@best"),
  }
  whole = best(Rules(claims=claims))
  kept = thick(thin(whole))
  again = Measured(
    whole.config, kept.rows + kept.judged, kept.probes, whole.rules
  )
  for claim in claims.values():
    values = whole.values("a", claim.metric)
    assert again.values("a", claim.metric) == values
    assert len(values.numbers) == 2
  # Of the points that are no seed's best nothing is kept but the last step.
  assert {(row["seed"], row["point"]["l2"]) for row in kept.probes} == {
    (0, 0.0),
    (1, 0.5),
  }
