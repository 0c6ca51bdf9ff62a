import numpy as np
import pytest

from bnjax.lab.results.figure_kinds import Layers
from bnjax.lab.results.layers import profiles
from bnjax.lab.results.measured import Measured
from bnjax.lab.results.names import Probe
from bnjax.lab.results.probes import Probes


def row(values, layer="h_1", seed=0, step=0, arm="a", probe="v", **more):
  return {
    "arm": arm, "seed": seed, "step": step, "probe": probe, "layer": layer,
    "values": values,
  } | more  # fmt: skip


def test_a_number_of_a_probe_is_a_curve():
  probes = Probes([row(2.0, step=5), row(1.0), row(None, seed=1)])
  curve = probes.curve("a", Probe("v", "h_1"))
  assert (curve.metric, curve.steps, curve.seeds) == ("v/h_1", (0, 5), (0, 1))
  assert curve.at(5) == {0: 2.0}
  assert np.isnan(curve.at(0)[1])
  assert probes.curve("a", Probe("v", "h_2")) is None


def test_an_element_of_a_list_is_found_by_its_place():
  probes = Probes([row([[1.0, 2.0], [3.0, None]])])
  name = Probe("v", "h_1", (1, 0))
  curve = probes.curve("a", name)
  assert (curve.metric, curve.at(0)) == ("v/h_1[1][0]", {0: 3.0})
  for index in ((), (1,), (5, 5)):
    with pytest.raises(ValueError, match=r"is not one number: .* is \[2, 2\]"):
      probes.curve("a", Probe("v", "h_1", index))


def test_layers_come_in_the_order_of_their_numbers():
  names = ["h_10", "h_9", "input"]
  probes = Probes([row(1.0, layer=name) for name in names])
  assert probes.layers("v") == ["h_9", "h_10", "input"]
  assert probes.layers("v", "b") == probes.layers("w") == []


def test_of_rows_written_twice_the_last_counts():
  probes = Probes([row([1, 2], edges=[0, 1, 2]), row([3, 4], edges=[0, 1, 2])])
  (seen,) = probes.seen("a", "v", "h_1")
  assert seen.values.tolist() == [3.0, 4.0]
  assert seen.edges.tolist() == [0.0, 1.0, 2.0]


def test_rows_of_a_grid_are_found_at_their_point():
  rows = [row(3.0), row(1.0, point={"x.l2": 0}), row(2.0, point={"x.l2": 1})]
  probes = Probes(rows)
  assert probes.curve("a", Probe("v", "h_1")).at(0) == {0: 3.0}
  at = Probe("v", "h_1", point=(("l2", 1),))
  assert probes.curve("a", at).at(0) == {0: 2.0}


@pytest.mark.parametrize("field", ["arm", "probe", "layer", "values"])
def test_a_row_that_lacks_a_field_is_an_error(field):
  bad = row(1.0)
  del bad[field]
  with pytest.raises(ValueError, match=f"a row of probes has no '{field}'"):
    Probes([bad])


def measured(rows, **config):
  return Measured({"arms": {"a": {}, "b": {}}, "steps": 9} | config, [], rows)


def test_profiles_are_geometric_means_over_seeds():
  rows = [
    row(value, layer=f"h_{layer}", seed=seed, arm=arm)
    for arm in "ab"
    for layer in (1, 2)
    for seed, value in enumerate((1e-40, 1e-20))
  ]
  one, other = profiles(measured(rows), Layers(probe="v"))
  assert (one.arm, one.layers, one.step, one.seeds) == (
    "a",
    ("h_1", "h_2"),
    0,
    2,
  )
  np.testing.assert_allclose(one.mean, [1e-30, 1e-30])
  np.testing.assert_allclose(one.least, [1e-40, 1e-40])
  np.testing.assert_allclose(other.greatest, [1e-20, 1e-20])
  (flat,) = profiles(
    measured(rows), Layers(probe="v", arms=("b",), log_y=False)
  )
  np.testing.assert_allclose(flat.mean, [5e-21, 5e-21])


def test_a_layer_that_vanished_for_one_seed_has_mean_zero():
  rows = [row(0.0), row(1.0, seed=1), row(None, layer="h_2")]
  (profile,) = profiles(measured(rows), Layers(probe="v"))
  assert profile.mean[0] == 0.0
  assert np.isnan(profile.mean[1])


def test_profiles_are_of_the_layers_and_the_step_asked_for():
  rows = [row(float(layer + step), layer=f"h_{layer}", step=step)
          for layer in (1, 2, 3) for step in (0, 7)]  # fmt: skip
  at = lambda **kw: profiles(measured(rows), Layers(probe="v", **kw))
  (last,) = at(layers=("h_3", "h_1"))
  assert (last.layers, last.step) == (("h_3", "h_1"), 7)
  np.testing.assert_allclose(last.mean, [10, 8])
  assert at(layers=("*_2", "h_*"))[0].layers == ("h_2", "h_1", "h_3")
  assert at(step=0)[0].step == 0
  assert at(step=3) == []
  assert profiles(measured([]), Layers(probe="v")) == []
