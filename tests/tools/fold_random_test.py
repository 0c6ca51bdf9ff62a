"""Folding random models: whatever is folded, the outputs are the same."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from folding_models import assert_close, with_statistics

from bnjax.linen import BatchNorm
from bnjax.tools import apply_folded, fold

FEATURES = 4


class Act(BatchNorm):
  """A norm with an activation of its own."""

  @nn.compact
  def __call__(self, x, **kwargs):
    return jnp.tanh(super().__call__(x, **kwargs))


def kernel(rng):
  """A layer that keeps the number of features."""
  use_bias = bool(rng.integers(2))
  kinds = [
    nn.Dense(FEATURES, use_bias=use_bias),
    nn.DenseGeneral(FEATURES, use_bias=use_bias),
    nn.Conv(FEATURES, (3,), use_bias=use_bias),
    nn.Conv(FEATURES, (2,), use_bias=use_bias, feature_group_count=2),
    nn.ConvTranspose(FEATURES, (3,), use_bias=use_bias),
    nn.ConvTranspose(FEATURES, (2,), transpose_kernel=True),
    nn.ConvLocal(FEATURES, (1,), use_bias=use_bias),
  ]
  return kinds[rng.integers(len(kinds))]


def batch_norm(rng):
  options: dict[str, Any] = {
    "use_running_average": True,
    "epsilon": float(rng.choice([1e-5, 1e-3])),
    "use_scale": bool(rng.integers(2)),
    "use_bias": bool(rng.integers(2)),
    "axis": int(rng.choice([-1, -1, -1, -2])),
  }
  kind = rng.integers(4)
  if kind == 0:
    return nn.BatchNorm(**options)
  if kind == 1:
    return Act(**options)
  relu = "relu" if kind == 2 else None
  return BatchNorm(**options, activation=relu)


class Random(nn.Module):
  """Draws, always the same, what to do next with one of the values so far."""

  seed: int

  @nn.compact
  def __call__(self, x):
    rng = np.random.default_rng(self.seed)
    values, layers, norms = [x], [], []
    for _ in range(8):
      recent = values[-1 - min(rng.geometric(0.9) - 1, len(values) - 1)]
      match rng.integers(9):
        case 0 | 1 | 2:
          layers.append(kernel(rng))
          values.append(layers[-1](recent))
          if rng.integers(2):
            norms.append(batch_norm(rng))
            values.append(norms[-1](values[-1]))
        case 3 | 4:
          norms.append(batch_norm(rng))
          values.append(norms[-1](recent))
        case 5:
          values.append(nn.relu(recent))
        case 6:
          values.append(recent + values[rng.integers(len(values))])
        case 7 if layers:
          values.append(layers[rng.integers(len(layers))](recent))
        case 8 if norms:
          values.append(norms[rng.integers(len(norms))](recent))
    return values[-1] + 0.1 * values[rng.integers(len(values))]


folded, refused = [], []


@pytest.mark.parametrize("seed", range(16))
def test_outputs_are_the_same(seed):
  model, x = Random(seed), jax.random.normal(jax.random.key(1), (3, 4, 4))
  variables = with_statistics(model, x)
  if "batch_stats" not in variables:
    return
  norms = (Act,) if seed % 2 else ()
  with jax.disable_jit():
    result = fold(model, variables, x, norms=norms)
    want = model.apply(variables, x)
    assert_close(model.apply(result.variables, x), want)
    assert_close(apply_folded(model, result, x), want)
  folded.extend(result.folded)
  refused.extend(result.refused)


def test_many_of_them_were_folded_and_many_not():
  assert len(folded) > 8
  assert len(refused) > 8
