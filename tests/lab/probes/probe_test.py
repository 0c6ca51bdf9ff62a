"""Probes from a config: what they hold, and what is refused."""

import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.probes import Probe, make_probes

X = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)


def test_a_group_becomes_hashable_probes_in_its_order():
  probes = make_probes(
    {
      "spread": {"measure": "percentiles", "q": [15, 50, 85], "unit": 3},
      "gradients": {
        "measure": "norm",
        "of": "gradient",
        "layers": ["dense_*", "output/kernel"],
        "relative": True,
      },
    }
  )
  assert probes == (
    Probe("spread", "percentiles", unit=3, arguments=(("q", (15, 50, 85)),)),
    Probe(
      "gradients",
      "norm",
      "gradient",
      ("dense_*", "output/kernel"),
      relative=True,
    ),
  )
  assert len({*probes, *probes}) == 2
  assert make_probes({}) == ()


def test_a_unit_is_measured_alone():
  group = {"measure": "percentiles", "q": (15, 85)}
  (all_units,) = make_probes({"a": group})
  (one,) = make_probes({"a": {**group, "unit": 2}})
  q = (15, 85)
  np.testing.assert_allclose(all_units(X), np.percentile(X, q), rtol=1e-5)
  np.testing.assert_allclose(one(X), np.percentile(X[:, 2], q), rtol=1e-5)
  (dead,) = make_probes({"a": {"measure": "dead_units", "unit": 1}})
  assert dead(jnp.array([[1.0, 0.0], [2.0, 0.0]])) == 1


@pytest.mark.parametrize(
  ("group", "message"),
  [
    (
      {},
      r"^probes\.p\.measure: missing; one of autocorrelation, .*"
      r"top_eigenvalues$",
    ),
    (
      {"measure": "percentile", "q": 50},
      r"^probes\.p\.measure: 'percentile' is not known; did you mean "
      r"'percentiles'\?$",
    ),
    (
      {"measure": "norm", "bins": 3},
      r"^probes\.p\.bins: 'bins' is not known; Choices: layers, measure, "
      r"new_noise, of, per_feature, relative, unit, update_shares$",
    ),
    ({"measure": "norm", "mask": 1}, r"^probes\.p\.mask: 'mask' is not known"),
    (
      {"measure": "norm", "of": "gradients"},
      r"^probes\.p\.of: 'gradients' is not known; did you mean 'gradient'\? "
      r"Choices: classifier, drift, gradient, loss, modes, output, "
      r"output_gradient, parameter, shift, update$",
    ),
    (
      {"measure": "norm", "of": "drift"},
      r"^probes\.p\.of: norm is not of 'drift'$",
    ),
    (
      {"measure": "gradient_cosine", "of": "gradient"},
      r"^probes\.p\.of: gradient_cosine is not of 'gradient' but of 'shift'$",
    ),
    (
      {"measure": "top_eigenvalues", "unit": 0},
      r"^probes\.p\.unit: a loss is not of units$",
    ),
    (
      {"measure": "top_eigenvalues", "count": 21},
      r"^probes\.p: top_eigenvalues cannot be so: 21 eigenvalues of 20 steps",
    ),
    ({"measure": "norm", "layers": []}, r"^probes\.p\.layers: \[\] is not a"),
    ({"measure": "norm", "layers": 3}, r"^probes\.p\.layers: 3 is not a patt"),
    ({"measure": "norm", "unit": -1}, r"^probes\.p\.unit: -1 is not a unit's"),
    ({"measure": "norm", "unit": "x"}, r"^probes\.p\.unit: 'x' is not a unit"),
    ({"measure": "histogram", "bins": 0}, r"^probes\.p\.bins: 0 is too small"),
    (
      {"measure": "percentiles", "q": [50, 101]},
      r"^probes\.p\.q: 101 is not in \[0, 100\]; it is in percent$",
    ),
    (
      {"measure": "percentiles"},
      r"^probes\.p: percentiles cannot be so: .*argument: 'q'$",
    ),
    (
      {"measure": "saturated_fraction", "margin": "wide"},
      r"^probes\.p: saturated_fraction cannot be so: ",
    ),
    (
      {"measure": "gradient_cosine", "new_noise": True},
      r"^probes\.p\.new_noise: of a drift alone, and this is of 'shift'$",
    ),
    (
      {"measure": "norm", "of": "update", "update_shares": (0, 1)},
      r"^probes\.p\.update_shares: of an output alone, and this is of 'upd",
    ),
    (
      {"measure": "norm", "update_shares": 0.5},
      r"^probes\.p\.update_shares: 0\.5 is of type float, and is to be a tu",
    ),
    (
      {"measure": "norm", "update_shares": ("all",)},
      r"^probes\.p\.update_shares",
    ),
    (
      {"measure": "histogram", "update_shares": (0, 1)},
      r"^probes\.p\.update_shares: of measures that are numbers or lists, and",
    ),
    (
      {"measure": "norm", "of": "gradient", "relative": 1},
      r"^probes\.p\.relative: 1 is not True or False, or the name of a "
      r"layer$",
    ),
    (
      {"measure": "norm", "relative": True},
      r"^probes\.p\.relative: norm of output has nothing to be relative to; "
      r"numbers of output_gradient, gradient, update have$",
    ),
    (
      {"measure": "histogram", "of": "gradient", "relative": True},
      r"^probes\.p\.relative: histogram of gradient has nothing",
    ),
    (
      {"measure": "histogram", "relative": "dense_0"},
      r"^probes\.p\.relative: histogram of output has nothing",
    ),
    (
      {"measure": "gradient_cosine", "relative": "dense_0"},
      r"^probes\.p\.relative: gradient_cosine of shift has nothing",
    ),
  ],
)
def test_what_is_wrong_is_named_in_one_line(group, message):
  with pytest.raises(UserError, match=message) as raised:
    make_probes({"p": group})
  assert "\n" not in str(raised.value)
