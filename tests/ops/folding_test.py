"""Folding one norm into one kernel, against running both."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from bnjax import ops

RNG = np.random.default_rng(0)


def draw(*shape):
  return jnp.asarray(RNG.normal(size=shape), jnp.float32)


def norm_of(features, with_scale=True, with_offset=True):
  var = jnp.asarray(RNG.uniform(0.2, 5, size=features), jnp.float32)
  return (
    draw(features) if with_scale else None,
    draw(features) if with_offset else None,
    draw(features),
    var,
  )


def normalized(y, norm, epsilon):
  scale, offset, mean, var = norm
  return ops.normalize(y, mean, var, scale, offset, epsilon=epsilon)


def assert_close(got, want):
  assert got.dtype == want.dtype
  error = np.linalg.norm(got - want) / np.linalg.norm(want)
  assert error < 2e-6, error


@pytest.mark.parametrize("with_bias", [False, True])
@pytest.mark.parametrize("with_scale", [False, True])
@pytest.mark.parametrize("with_offset", [False, True])
def test_dense(with_bias, with_scale, with_offset):
  x, kernel = draw(7, 5), draw(5, 4)
  bias = draw(4) if with_bias else None
  norm = norm_of(4, with_scale, with_offset)
  y = x @ kernel + (bias[None] if with_bias else 0)
  kernel, bias = jax.jit(ops.fold_dense)(kernel, bias, *norm, 1e-3)
  assert_close(x @ kernel + bias[None], normalized(y, norm, 1e-3))


LAYERS = {
  "one axis": nn.Conv(6, (3,), kernel_dilation=2, padding="CAUSAL"),
  "grouped": nn.Conv(8, (3, 3), feature_group_count=2),
  "unshared": nn.ConvLocal(6, (3, 3)),
  "transposed kernel": nn.ConvTranspose(
    6, (3, 2), strides=(2, 2), transpose_kernel=True
  ),
  # As many inputs as outputs: only the layout says which axis is which.
  "transposed square": nn.ConvTranspose(4, (3, 3), transpose_kernel=True),
}


@pytest.mark.parametrize("layer", LAYERS.values(), ids=LAYERS.keys())
def test_conv(layer):
  x = draw(2, 9, 4) if layer.kernel_size == (3,) else draw(2, 7, 7, 4)
  shapes = jax.eval_shape(layer.init, jax.random.key(0), x)["params"]
  params = {name: draw(*value.shape) for name, value in shapes.items()}
  norm = norm_of(layer.features)
  apply = jax.jit(layer.apply)
  want = normalized(apply({"params": params}, x), norm, 1e-5)
  kernel, bias = ops.fold_conv(
    params["kernel"],
    params["bias"],
    *norm,
    transpose_kernel=getattr(layer, "transpose_kernel", False),
  )
  folded = {"params": {"kernel": kernel, "bias": bias}}
  assert_close(apply(folded, x), want)


def test_grouped_transposed_convolution():
  x, kernel = draw(2, 5, 5, 4), draw(3, 3, 2, 6)

  def conv(kernel):
    return lax.conv_general_dilated(
      x,
      kernel,
      (1, 1),
      [(2, 2), (2, 2)],
      lhs_dilation=(2, 2),
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
      feature_group_count=2,
    )

  norm = norm_of(6)
  want = normalized(conv(kernel), norm, 1e-5)
  kernel, bias = ops.fold_conv(kernel, None, *norm)
  assert_close(conv(kernel) + bias[None, None, None], want)


def test_narrow_dtypes_are_folded_in_float32():
  kernel, bias = draw(5, 4).astype(jnp.bfloat16), None
  norm = norm_of(4)
  with jax.numpy_dtype_promotion("strict"):
    got, shift = ops.fold_dense(kernel, bias, *norm)
  assert got.dtype == shift.dtype == jnp.float32
  want = ops.fold_dense(kernel.astype(jnp.float32), bias, *norm)[0]
  np.testing.assert_array_equal(got, want)


def test_float64_stays():
  with jax.enable_x64(True):
    kernel = jnp.asarray(RNG.normal(size=(5, 4)))
    folded, _ = ops.fold_dense(kernel, None, *norm_of(4))
    assert folded.dtype == jnp.float64


def test_vmap_and_grad():
  kernels, norm = draw(3, 5, 4), norm_of(4)
  many = jax.vmap(lambda k: ops.fold_dense(k, None, *norm)[0])(kernels)
  one = ops.fold_dense(kernels[1], None, *norm)[0]
  np.testing.assert_allclose(many[1], one, rtol=1e-6)
  grad = jax.grad(lambda k: ops.fold_dense(k, None, *norm)[0].sum())(kernels[0])
  gain = norm[0] / jnp.sqrt(norm[3] + 1e-5)
  np.testing.assert_allclose(grad, jnp.broadcast_to(gain, (5, 4)), rtol=1e-5)


def test_errors():
  norm = norm_of(4)
  with pytest.raises(ValueError, match="mean has shape"):
    ops.fold_dense(draw(4, 5), None, *norm)
  with pytest.raises(ValueError, match="bias has shape"):
    ops.fold_dense(draw(5, 4), draw(1), *norm)
