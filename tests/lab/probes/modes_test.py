"""A layer in training and in inference, and what dropout does to it."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.probes import (
  Modes,
  capture,
  dropout_variance_shift,
  make_probes,
  run_probes,
  variance_shift,
)

RNG = np.random.default_rng(0)


def test_the_formula_is_exact_over_all_masks():
  """Every mask of 3 examples, with its probability: the variance itself."""
  keep, x = 0.75, np.array([0.2, 1.7, -0.4])
  masks = (np.arange(8)[:, None] >> np.arange(3)) & 1
  weights = np.prod(np.where(masks, keep, 1 - keep), axis=1)
  mean = x.mean()  # of dropped values, too: dropout is unbiased
  squares = (masks * x / keep - mean) ** 2
  exact = x.var() / (weights @ squares.mean(1))
  with jax.enable_x64(True):
    modes = Modes(jnp.asarray(x), jnp.asarray(x))
    found = float(dropout_variance_shift(modes, keep))
  assert found == pytest.approx(exact, rel=1e-12)
  # c = .5, v = 1, keep = .5, as the literature is quoted: .444.
  x = np.array([-0.5, 1.5])
  assert dropout_variance_shift(Modes(x, x), 0.5) == pytest.approx(4 / 9)


def test_the_median_unit_and_constant_ones():
  x = RNG.normal(size=(50, 3)).astype(np.float32)
  scaled = x * np.array([1.0, 3.0, 0.5], np.float32)
  assert variance_shift(Modes(x, scaled)) == pytest.approx(1, rel=1e-5)
  assert variance_shift(Modes(x[:, 0], scaled[:, 1])) > 1
  flat = np.zeros((5, 3), np.float32)
  assert variance_shift(Modes(flat, flat)) == 1
  assert variance_shift(Modes(flat, x[:5])) == np.inf
  assert dropout_variance_shift(Modes(flat, flat), 0.5) == 1


class _Dropped(nn.Module):
  """Dropout and batch norm, twice."""

  @nn.compact
  def __call__(self, x, *, train):
    for i in range(2):
      x = nn.Dropout(0.5, deterministic=not train, name=f"drop_{i}")(x)
      norm = nn.BatchNorm(use_running_average=not train, name=f"norm_{i}")
      x = nn.relu(norm(x))
    return x


def test_a_probe_looks_at_a_layer_in_both_modes():
  x = 1 + RNG.normal(size=(4000, 5)).astype(np.float32)
  model = _Dropped()
  variables = model.init(jax.random.key(0), x, train=False)
  probes = make_probes(
    {
      "shift": {"measure": "variance_shift", "layers": "drop_*"},
      "units": {
        "measure": "variance_shift",
        "layers": "drop_0",
        "per_feature": True,
      },
      "formula": {
        "measure": "dropout_variance_shift",
        "layers": "drop_0",
        "keep": 0.5,
      },
    }
  )
  assert {probe.of for probe in probes} == {"modes"}
  run = lambda **options: run_probes(
    probes, model, variables, x, rngs={"dropout": jax.random.key(1)}, **options
  )
  found = run(train=True)
  formula = float(found["formula"]["drop_0"])
  assert formula == pytest.approx(1 / (2 / 0.5 - 1), rel=0.05)  # c = v = 1
  assert found["shift"]["drop_0"] == pytest.approx(formula, rel=0.05)
  assert found["units"]["drop_0"].shape == (5,)
  # The second layer's input in inference is known: by running statistics, 0
  # and 1 so far.
  inference = np.maximum(x / np.sqrt(1 + 1e-5), 0).var(0)
  rngs = {"dropout": jax.random.key(1)}
  seen = capture(model, variables, x, train=True, rngs=rngs).outputs["drop_1"]
  expected = np.median(inference / np.var(seen, 0))
  assert found["shift"]["drop_1"] == pytest.approx(expected, rel=1e-3)
  with pytest.raises(UserError, match="of 'modes', which needs train=True"):
    run()
