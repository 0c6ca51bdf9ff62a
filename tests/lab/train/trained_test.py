"""Training of some parameters: what stays, and which weights go."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab import experiment
from bnjax.lab.config import base
from bnjax.lab.errors import UserError
from bnjax.lab.experiment import params
from bnjax.lab.train.trained import only

PARAMS = {
  "dense": {"kernel": jnp.ones((6, 3)), "bias": jnp.zeros(3)},
  "norm": {"scale": jnp.ones(3), "bias": jnp.zeros(3)},
}
GRADIENT = jax.tree.map(lambda x: jnp.full_like(x, 2.0), PARAMS)


def _moved(optimizer, steps=3):
  now, state = PARAMS, optimizer.init(PARAMS)
  for _ in range(steps):
    updates, state = optimizer.update(GRADIENT, state, now)
    now = optax.apply_updates(now, updates)
  return jax.tree.map(lambda a, b: np.asarray(a - b), now, PARAMS)


def test_the_trained_ones_go_as_alone_and_the_others_stay():
  sgd = optax.sgd(0.1, momentum=0.9)
  everything, some = _moved(sgd), _moved(only(sgd, ["norm/*"]))
  jax.tree.map(np.testing.assert_array_equal, some["norm"], everything["norm"])
  assert not any(x.any() for x in jax.tree.leaves(some["dense"]))


def test_so_many_weights_of_each_unit():
  moved = _moved(only(optax.sgd(0.1), ["dense/*"], weights=2))
  kernel = moved["dense"]["kernel"]
  assert (kernel != 0).sum(0).tolist() == [2, 2, 2]
  np.testing.assert_allclose(kernel[kernel != 0], -0.6, rtol=1e-6)
  assert moved["dense"]["bias"].all()  # no kernel: as a whole
  again = _moved(only(optax.sgd(0.1), ["dense/kernel"], weights=2))
  np.testing.assert_array_equal(again["dense"]["kernel"], kernel)
  more = _moved(only(optax.sgd(0.1), ["dense/kernel"], weights=9))
  assert more["dense"]["kernel"].all()


def test_a_pattern_that_matches_nothing_is_refused():
  with pytest.raises(UserError, match=r"trained: 'norm_\*' matches nothing"):
    only(optax.sgd(0.1), ["norm_*"]).init(PARAMS)


def test_of_a_config(tmp_path):
  config = base(optimizer="adam")
  config.dataset.name = "mnist5k"
  config.dataset.examples = 50
  config.model.update(width=4, depth=1)
  config.update(steps=3, eval_every=3, seeds=1, batch_size=8, save_params=True)
  config.trained = ("norm_*",)
  config.arms = {"begun": {"steps": 0}, "trained": {}}
  experiment.run(config.to_dict(), tmp_path)
  begun, trained = (
    params.load(tmp_path, arm)["params"] for arm in ("begun", "trained")
  )
  differ = jax.tree.map(lambda a, b: bool((a != b).all()), begun, trained)
  same = {"kernel": False, "bias": False}
  norm = {"scale": True, "bias": True}
  assert differ == {"dense_0": same, "norm_0": norm, "output": same}
