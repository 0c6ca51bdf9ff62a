import numpy as np
import pytest

from bnjax.lab.results import PublishedCurve, Rules
from bnjax.lab.results.grids import PLAIN
from bnjax.lab.results.measured import Measured


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
