"""An epsilon that is traced: values, derivatives, one number each by vmap."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from references import error

from bnjax import ops
from bnjax.ops import ema, init_running

EPSILONS = jnp.array([1e-2, 3.0])

OPS = {
  "batch_norm": lambda x, e: ops.batch_norm(x, epsilon=e)[0],
  "relu": lambda x, e: ops.batch_norm(x, epsilon=e, activation="relu")[0],
  "ghost_batch_norm": lambda x, e: ops.ghost_batch_norm(x, groups=2, epsilon=e)[
    0
  ],
  "batch_renorm": lambda x, e: ops.batch_renorm(
    x, None, None, init_running(4), rule=ema(0.9), epsilon=e
  )[0],
  "l1_batch_norm": lambda x, e: ops.l1_batch_norm(x, epsilon=e)[0],
  "normalize": lambda x, e: ops.normalize(x, x[0], x[1] ** 2, epsilon=e),
  "layer_norm": lambda x, e: ops.layer_norm(x, epsilon=e),
  "group_norm": lambda x, e: ops.group_norm(x, groups=2, epsilon=e),
  "rms_norm": lambda x, e: ops.rms_norm(x, epsilon=e),
  "whiten": lambda x, e: ops.whiten(x, epsilon=e)[0],
  "iter_norm": lambda x, e: ops.iter_norm(x, epsilon=e)[0],
  "standardize_kernel": lambda x, e: ops.standardize_kernel(x, epsilon=e),
}


@pytest.mark.parametrize("name", OPS)
def test_each_of_many_is_as_if_it_were_known(name):
  x = references.batch((8, 4), 1.0, 0.5)
  dy = references.batch((8, 4), seed=2)

  def both(x, epsilon):
    y, pullback = jax.vjp(lambda x: OPS[name](x, epsilon), x)
    return y, pullback(dy)[0]

  together = jax.jit(jax.vmap(both, (None, 0)))(x, EPSILONS)
  for i, epsilon in enumerate(EPSILONS):
    known = both(x, float(epsilon))
    for ours, theirs in zip(together, known, strict=True):
      np.testing.assert_allclose(ours[i], theirs, rtol=1e-5, atol=1e-6)


def test_derivative_is_the_closed_form():
  x = references.batch((8, 4), 1.0, 0.5)
  scale, bias = references.affine(4)
  dy = references.batch((8, 4), seed=2)
  function = partial(ops.batch_norm, x, scale, bias)
  loss = lambda e: jnp.vdot(function(epsilon=e)[0], dy)
  wide = np.asarray(x, np.float64)
  c, var = wide - wide.mean(0), wide.var(0)
  slope = -0.5 * scale * c * (var + 0.3) ** -1.5
  expected = np.sum(np.asarray(dy, np.float64) * slope)
  assert error(jax.grad(loss)(jnp.float32(0.3)), expected) < 1e-6


def test_second_derivatives_mix_with_those_of_x():
  x = references.batch((8, 4), 1.0, 0.5)
  dy = references.batch((8, 4), seed=2)

  def plain(x, e):
    y = (x - x.mean(0)[None]) / jnp.sqrt(x.var(0) + e)[None]
    return jnp.vdot(y, dy)

  ours = lambda x, e: jnp.vdot(ops.batch_norm(x, epsilon=e)[0], dy)
  mixed = [
    jax.jacfwd(jax.grad(f), argnums=1)(x, jnp.float32(0.3))
    for f in (ours, plain)
  ]
  np.testing.assert_allclose(*mixed, rtol=1e-4, atol=1e-5)


def test_an_array_of_epsilons_is_refused():
  with pytest.raises(ValueError, match="one number, got shape"):
    ops.batch_norm(jnp.ones((2, 4)), epsilon=EPSILONS)
