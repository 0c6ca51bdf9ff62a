"""Batch renorm, ghost and L1 batch norm of NNX, beside those of linen."""

from functools import partial

import jax
import numpy as np
import pytest
from flax import nnx

from bnjax import linen, nnx as ours
from bnjax.ops import renorm_schedule

RNG = np.random.default_rng(0)
SCHEDULE = partial(renorm_schedule, start=1, r_end=3, d_end=3)


@pytest.mark.parametrize(
  ("name", "fields"),
  [
    ("BatchRenorm", {"r_max": 1.5, "d_max": 0.5}),
    ("BatchRenorm", {"schedule": SCHEDULE}),
    ("GhostBatchNorm", {"groups": 2, "between": False}),
    ("GhostBatchNorm", {"group_size": 3}),
    ("L1BatchNorm", {"activation": "relu"}),
  ],
)
def test_equals_linen_step_by_step(name, fields):
  module = getattr(linen, name)(momentum=0.5, **fields)
  norm = getattr(ours, name)(4, momentum=0.5, rngs=nnx.Rngs(0), **fields)
  x = RNG.normal(size=(6, 4)).astype(np.float32)
  variables = module.init(jax.random.key(0), x, True)
  for _ in range(4):
    x = RNG.normal(1, 2, (6, 4)).astype(np.float32)
    expected, updates = module.apply(
      variables, x, False, mutable=["batch_stats"]
    )
    np.testing.assert_allclose(norm(x), expected, rtol=1e-5, atol=1e-5)
    variables = {**variables, **updates}
    kept = nnx.to_pure_dict(nnx.state(norm, nnx.BatchStat))
    assert kept.keys() == updates["batch_stats"].keys()
    for key, value in kept.items():
      wanted = updates["batch_stats"][key]
      assert value.dtype == wanted.dtype
      np.testing.assert_allclose(value, wanted, rtol=1e-5)
  norm.eval()
  expected = module.apply(variables, x, True)
  np.testing.assert_allclose(norm(x), expected, rtol=1e-5, atol=1e-5)


def test_renorm_trains_under_jit():
  norm = ours.BatchRenorm(4, schedule=SCHEDULE, rngs=nnx.Rngs(0))
  x = RNG.normal(size=(6, 4)).astype(np.float32)
  step = nnx.jit(nnx.grad(lambda norm, x: (norm(x) ** 3).sum()))
  for _ in range(2):
    gradient = step(norm, x)
  assert norm.step[...] == 2
  assert np.any(gradient["scale"][...])


def test_ghosts_need_groups():
  with pytest.raises(ValueError, match="either groups, their number"):
    ours.GhostBatchNorm(4, rngs=nnx.Rngs(0))
