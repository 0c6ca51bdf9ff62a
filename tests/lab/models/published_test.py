"""The 2016 backward pass, against a NumPy transcription of its equations."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.models import NORMS, mlp

EPSILON = 1e-8
N, WIDTH, FEATURES, CLASSES = 12, 5, 7, 3


def _bn(x, p, rows):
  mean, var = x[rows].mean(0), x[rows].var(0)
  x_hat = (x - mean) / np.sqrt(var + EPSILON)
  return p["scale"] * x_hat + p["bias"], (x_hat, np.sqrt(var + EPSILON), p)


def _bn_backward(dy, cache, rows):
  """dx, dscale, dbias: the closed form of Algorithm 1's gradients."""
  x_hat, std, p = cache
  keep = np.zeros((len(dy), 1))
  keep[rows] = 1
  dy = dy * keep
  n = keep.sum()
  dx = p["scale"] / std * (dy - dy.sum(0) / n - x_hat * (dy * x_hat).sum(0) / n)
  return dx * keep, (dy * x_hat).sum(0), dy.sum(0)


def _numpy_gradients(p, x, labels, rows, as_published):
  """Mean cross-entropy over `rows`, two hidden layers, by hand."""
  x1 = x @ p["dense_0"]["kernel"] + p["dense_0"]["bias"]
  y1, cache1 = _bn(x1, p["norm_0"], rows)
  h1 = np.maximum(y1, 0)
  x2 = h1 @ p["dense_1"]["kernel"] + p["dense_1"]["bias"]
  y2, cache2 = _bn(x2, p["norm_1"], rows)
  h2 = np.maximum(y2, 0)
  logits = h2 @ p["output"]["kernel"] + p["output"]["bias"]
  q = np.exp(logits - logits.max(1, keepdims=True))
  d = q / q.sum(1, keepdims=True) - np.eye(CLASSES)[labels]
  weight = np.zeros((N, 1))
  weight[rows] = 1 / len(rows)
  d = d * weight
  g = {"output": {"kernel": h2.T @ d, "bias": d.sum(0)}}
  dh2 = (d @ p["output"]["kernel"].T) * (y2 > 0)
  dh2, dscale, dbias = _bn_backward(dh2, cache2, rows)
  g["norm_1"] = {"scale": dscale, "bias": dbias}
  g["dense_1"] = {"kernel": h1.T @ dh2, "bias": dh2.sum(0)}
  dh1 = (dh2 @ p["dense_1"]["kernel"].T) * (y1 > 0)
  if as_published:
    dh1, dscale, dbias = _bn_backward(dh2, cache2, rows)
  else:
    dh1, dscale, dbias = _bn_backward(dh1, cache1, rows)
  g["norm_0"] = {"scale": dscale, "bias": dbias}
  g["dense_0"] = {"kernel": x.T @ dh1, "bias": dh1.sum(0)}
  return g


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("derivative", ["corrected", "as_published"])
def test_gradient_is_the_one_named(derivative, masked):
  rng = np.random.default_rng(0)
  with jax.enable_x64(True):
    model = mlp(
      num_classes=CLASSES,
      norm=functools.partial(NORMS["batch_norm"], epsilon=EPSILON),
      width=WIDTH,
      derivative=derivative,
    )
    x = rng.normal(size=(N, FEATURES))
    labels = rng.integers(0, CLASSES, N)
    rows = np.arange(N - 4) if masked else np.arange(N)
    mask = jnp.asarray(np.arange(N) < N - 4) if masked else None
    variables = model.init(jax.random.key(0), x, train=False)
    params = jax.tree.map(
      lambda w: rng.normal(size=w.shape), variables["params"]
    )

    def loss(params):
      logits, _ = model.apply(
        {**variables, "params": params},
        x,
        train=True,
        mask=mask,
        mutable=["batch_stats"],
      )
      losses = -jax.nn.log_softmax(logits)[np.arange(N), labels]
      return losses[rows].mean()

    gradient = jax.grad(loss)(params)
  expected = _numpy_gradients(
    params, x, labels, rows, derivative == "as_published"
  )
  assert jax.tree.structure(expected) == jax.tree.structure(gradient)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12),
    gradient,
    expected,
  )


def test_the_value_is_the_same_to_the_bit():
  x = np.random.default_rng(0).normal(size=(N, FEATURES)).astype(np.float32)
  logits = []
  for derivative in ("corrected", "as_published"):
    model = mlp(
      num_classes=CLASSES,
      norm=NORMS["batch_norm"],
      width=WIDTH,
      init="randn",
      derivative=derivative,
    )
    variables = model.init(jax.random.key(0), x, train=False)
    y, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
    logits.append(np.asarray(y))
  np.testing.assert_array_equal(*logits)
