"""Sums over examples, with and without padding, and the L2 penalty."""

import jax
import jax.numpy as jnp
import numpy as np

from bnjax.lab.train.losses import (
  LOSSES,
  classification_sums,
  kernel_mask,
  l2_penalty,
)

LOGITS = jnp.log(jnp.array([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]))
LABELS = jnp.array([0, 1, 1])


def test_literal_sums():
  sums = classification_sums(LOGITS, LABELS)
  expected = -np.log([0.7, 0.1, 0.4]).sum()
  np.testing.assert_allclose(sums.loss, expected, rtol=1e-6)
  assert sums.correct == 2
  assert sums.examples == 3


def test_padding_does_not_count_even_if_it_is_nan():
  logits = jnp.concatenate([LOGITS, jnp.full((2, 3), jnp.nan)])
  labels = jnp.concatenate([LABELS, jnp.array([0, 0])])
  mask = jnp.arange(5) < 3
  padded = classification_sums(logits, labels, mask)
  np.testing.assert_allclose(
    np.array(padded), np.array(classification_sums(LOGITS, LABELS)), rtol=1e-6
  )


PARAMS = {
  "dense": {"kernel": jnp.array([[1.0, 2.0]]), "bias": jnp.array([9.0, 9.0])},
  "norm": {"scale": jnp.array([9.0]), "bias": jnp.array([9.0])},
  "output": {"kernel": jnp.array([[-3.0]])},
}


def test_l2_is_half_the_sum_of_squares_of_the_kernels():
  assert l2_penalty(PARAMS) == 0.5 * (1 + 4 + 9)
  assert kernel_mask(PARAMS) == {
    "dense": {"kernel": True, "bias": False},
    "norm": {"scale": False, "bias": False},
    "output": {"kernel": True},
  }


def test_without_kernels_there_is_no_penalty():
  assert l2_penalty({"norm": PARAMS["norm"]}) == 0


def test_the_table_holds_the_classification_loss():
  assert LOSSES["cross_entropy"]() is classification_sums


def test_the_sum_of_outputs_leaves_out_padding_even_if_it_is_nan():
  outputs = jnp.arange(30.0).reshape(5, 2, 3).at[3:].set(jnp.nan)
  loss = jax.jit(LOSSES["sum"](scale=0.5))
  mask = jnp.arange(5) < 3
  sums = loss(outputs, None, mask)
  assert sums == (0.5 * sum(range(18)), None, 1)
  entering = jax.grad(lambda y: loss(y, None, None).loss)(outputs)
  np.testing.assert_array_equal(entering, np.full((5, 2, 3), 0.5))


def test_sums_are_at_least_float32_and_float64_stays():
  for dtype in (jnp.bfloat16, jnp.float32, jnp.float64):
    with jax.enable_x64(dtype == jnp.float64):
      outputs = LOGITS.astype(dtype)
      for name in LOSSES:
        total = LOSSES[name]()(outputs, LABELS, None).loss
        assert total.dtype == jnp.promote_types(dtype, jnp.float32)
