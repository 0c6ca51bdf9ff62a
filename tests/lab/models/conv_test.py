"""The convolution by products equals XLA's and Flax's, whatever the shape."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import conv
from bnjax.lab.models.conv import Conv, convolve, convolve_by_product

RNG = np.random.default_rng(0)

# (height, width, in, out), (rows, columns), strides
SHAPES = [
  ((12, 12, 3, 6), (5, 5), 1),  # tiles of 4
  ((14, 14, 6, 16), (5, 5), 1),  # tiles of 5, and a column is missing
  ((9, 11, 2, 5), (3, 3), 1),
  ((9, 11, 2, 5), (3, 3), 2),
  ((8, 8, 2, 7), (2, 4), 3),
  ((7, 6, 4, 100), (3, 3), 1),  # more features than a tile is for
  ((8, 8, 5, 4), (1, 1), 1),
  ((8, 8, 5, 4), (1, 1), 2),
  ((8, 9, 2, 3), (7, 7), 2),
  ((5, 5, 1, 2), (5, 5), 1),  # one place
]


def _draw(shape, size):
  height, width, features, out = shape
  x = RNG.normal(size=(3, height, width, features)).astype(np.float32)
  kernel = RNG.normal(size=(*size, features, out)).astype(np.float32)
  return jnp.asarray(x), jnp.asarray(kernel)


def _reference(x, kernel, strides, padding):
  return jax.lax.conv_general_dilated(
    x,
    kernel,
    (strides, strides),
    padding,
    dimension_numbers=("NHWC", "HWIO", "NHWC"),
  )


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("shape", "size", "strides"), SHAPES)
def test_equals_the_convolution_of_xla(shape, size, strides, padding):
  x, kernel = _draw(shape, size)
  expected, pull_back = jax.vjp(
    lambda x, k: _reference(x, k, strides, padding), x, kernel
  )
  y, pull = jax.vjp(
    lambda x, k: convolve_by_product(x, k, strides=strides, padding=padding),
    x,
    kernel,
  )
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=2e-5)
  cotangent = jnp.asarray(RNG.normal(size=y.shape).astype(np.float32))
  for ours, theirs in zip(pull(cotangent), pull_back(cotangent), strict=True):
    np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("use_bias", [False, True])
def test_is_the_convolution_of_flax(use_bias):
  x, _ = _draw((12, 12, 3, 6), (5, 5))
  options = {"padding": "VALID", "use_bias": use_bias}
  theirs = nn.Conv(6, (5, 5), bias_init=nn.initializers.normal(), **options)
  ours = Conv(6, (5, 5), bias_init=nn.initializers.normal(), **options)
  variables = theirs.init(jax.random.key(0), x)
  jax.tree.map(
    np.testing.assert_array_equal, variables, ours.init(jax.random.key(0), x)
  )
  np.testing.assert_allclose(
    ours.apply(variables, x), theirs.apply(variables, x), rtol=1e-5, atol=1e-5
  )


@pytest.mark.parametrize("dtype", [None, jnp.bfloat16])
def test_dtypes_are_those_of_flax(dtype):
  x, _ = _draw((6, 6, 3, 4), (3, 3))
  theirs, ours = nn.Conv(4, (3, 3), dtype=dtype), Conv(4, (3, 3), dtype=dtype)
  variables = theirs.init(jax.random.key(0), x)
  expected, y = theirs.apply(variables, x), ours.apply(variables, x)
  assert y.dtype == expected.dtype
  tolerance = 1e-5 if dtype is None else 3e-2
  np.testing.assert_allclose(
    np.float32(y), np.float32(expected), rtol=tolerance, atol=tolerance
  )


def test_many_kernels_at_once():
  pairs = [_draw((14, 14, 6, 16), (5, 5)) for _ in range(3)]
  x, kernel = (jnp.stack(a) for a in zip(*pairs, strict=True))
  y = jax.vmap(lambda x, k: convolve(x, k, padding="VALID"))(x, kernel)
  for i, pair in enumerate(pairs):
    np.testing.assert_allclose(
      y[i], _reference(*pair, 1, "VALID"), rtol=1e-5, atol=2e-5
    )


def test_there_is_no_convolution_in_the_program_of_a_cpu():
  x, kernel = _draw((12, 12, 3, 6), (5, 5))
  gradient = jax.grad(lambda k: jnp.sum(convolve(x, k) ** 2))
  assert "conv_general_dilated" not in str(jax.make_jaxpr(gradient)(kernel))


def test_other_backends_have_their_own(monkeypatch):
  x, kernel = _draw((9, 11, 2, 5), (3, 3))
  monkeypatch.setattr(conv.jax, "default_backend", lambda: "gpu")
  trace = jax.make_jaxpr(lambda k: convolve(x, k, strides=2))(kernel)
  assert "conv_general_dilated" in str(trace)
  np.testing.assert_allclose(
    convolve(x, kernel, strides=2),
    convolve_by_product(x, kernel, strides=2),
    rtol=1e-5,
    atol=1e-5,
  )


def test_derivatives_of_second_order():
  x, kernel = _draw((6, 6, 1, 2), (3, 3))

  def product(function):
    loss = lambda k: jnp.sum(jnp.sin(function(x, k)))
    return jax.jvp(jax.grad(loss), (kernel,), (jnp.ones_like(kernel),))[1]

  np.testing.assert_allclose(
    product(convolve),
    product(lambda x, k: _reference(x, k, 1, "SAME")),
    rtol=1e-4,
    atol=1e-4,
  )


def test_what_is_wrong_is_named():
  x, kernel = _draw((4, 9, 1, 1), (5, 5))
  with pytest.raises(UserError, match=r"padding: 'valid'.*SAME, VALID"):
    convolve(x, kernel, padding="valid")
  with pytest.raises(UserError, match=r"image of \(4, 9\).*kernel of \(5, 5\)"):
    convolve(x, kernel, padding="VALID")
