"""Landscape, Hessian and shift against closed forms in float64."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.probes import (
  Pair,
  along_direction,
  along_gradient,
  gradient_shifts,
  hessian_product,
  make_probes,
  mean_drift,
  order_of,
  output_mean_gradients,
  run_probes,
  share_in_span,
  top_eigenpairs,
  variance_drift,
  wasserstein_drift,
)

RNG = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def _float64():
  with jax.enable_x64(True):
    yield


def _symmetric(values):
  q, _ = np.linalg.qr(RNG.normal(size=(len(values), len(values))))
  return q * values @ q.T, q


def test_along_the_gradient_of_a_quadratic():
  a, _ = _symmetric(np.array([5.0, 2, 1, -3]))
  w = RNG.normal(size=4)
  steps = np.geomspace(1e-3, 1, 5)
  loss = lambda p: (
    jnp.concatenate([p["u"], p["v"]])
    @ a
    @ jnp.concatenate([p["u"], p["v"]])
    / 2
  )
  seen = along_gradient(
    loss, {"u": jnp.asarray(w[:1]), "v": jnp.asarray(w[1:])}, jnp.asarray(steps)
  )
  g = a @ w
  there = w - steps[:, None] * g
  losses = np.einsum("si,ij,sj->s", there, a, there) / 2
  other = there @ a
  np.testing.assert_allclose(seen.loss, w @ a @ w / 2)
  np.testing.assert_allclose(seen.norm, np.linalg.norm(g))
  np.testing.assert_allclose(seen.losses, losses)
  # The change is step * |A g| / |g|.
  change = steps * np.linalg.norm(a @ g) / np.linalg.norm(g)
  np.testing.assert_allclose(seen.changes, change)
  cosine = other @ g / np.linalg.norm(g) / np.linalg.norm(other, axis=1)
  np.testing.assert_allclose(seen.cosines, cosine)


def test_along_a_direction_of_a_linear_function():
  """f = (Σ p x, p) at p + s d is known, and 1 - s of the way is left of d."""
  p, d = RNG.normal(size=(2, 5))
  shares = np.array([0, 0.3, 1, -2])
  split = lambda v: {"a": jnp.asarray(v[:2]), "b": jnp.asarray(v[2:])}
  function = lambda tree: {
    "sum": jnp.sum(tree["a"]) + 3 * jnp.sum(tree["b"]),
    "b": tree["b"],
  }
  found = along_direction(function, split(p), split(d), jnp.asarray(shares))
  there = p + shares[:, None] * d
  expected = there[:, :2].sum(1) + 3 * there[:, 2:].sum(1)
  np.testing.assert_allclose(found["sum"], expected, rtol=1e-14)
  np.testing.assert_allclose(found["b"], there[:, 2:], rtol=1e-14)


# All but the first have fewer distinct eigenvalues than steps.
@pytest.mark.parametrize(
  ("values", "tolerance"),
  [
    ([9.0, 4, 1, 0.5, *np.linspace(-1, 0.1, 56)], 1e-6),
    ([-1.0] * 8, 1e-12),
    ([2.0, 2, *[0] * 8], 1e-12),
    ([0.0] * 8, 1e-12),
  ],
)
def test_lanczos_finds_the_largest_eigenvalues(values, tolerance):
  a, q = _symmetric(np.array(values))
  w = jnp.asarray(RNG.normal(size=len(values)))
  loss = lambda w: w @ a @ w / 2
  found = top_eigenpairs(loss, w, jax.random.key(0), count=2, steps=20)
  np.testing.assert_allclose(found.values, values[:2], atol=tolerance)
  np.testing.assert_allclose(found.errors, 0, atol=np.sqrt(tolerance))
  np.testing.assert_allclose(
    found.vectors @ found.vectors.T, np.eye(2), atol=1e-9
  )
  if values[0] > values[1]:
    np.testing.assert_allclose(np.abs(found.vectors @ q)[0, 0], 1, atol=1e-6)
  with pytest.raises(ValueError, match="9 eigenvalues of 8 steps"):
    top_eigenpairs(loss, w, jax.random.key(0), count=9, steps=8)


def test_hessian_products_are_finite_differences_of_gradients():
  x = jnp.asarray(RNG.normal(size=(7, 3)))
  loss = lambda p: jnp.mean(jnp.tanh(x @ p["w"] + p["b"][None]) ** 3)
  draw = lambda: {
    "w": jnp.asarray(RNG.normal(size=(3, 2))),
    "b": jnp.asarray(RNG.normal(size=2)),
  }
  at, along = draw(), draw()
  step = lambda sign: jax.grad(loss)(
    jax.tree.map(lambda p, v: p + sign * 1e-5 * v, at, along)
  )
  expected = jax.tree.map(lambda a, b: (a - b) / 2e-5, step(1), step(-1))
  found = hessian_product(loss, at, along)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-8),
    found,
    expected,
  )


def test_outlying_eigenvectors_lie_in_the_span_of_output_means():
  """Least squares of outputs that are nearly constant: H = 2 x x' / n."""
  x = 1 + 0.01 * RNG.normal(size=(50, 6))
  outputs = lambda w: jnp.asarray(x) @ w
  w = jnp.asarray(RNG.normal(size=(6, 2)))
  loss = lambda w: jnp.mean(jnp.sum(outputs(w) ** 2, 1))
  span = output_mean_gradients(outputs, w)
  expected = np.zeros((2, 6, 2))
  expected[0, :, 0] = expected[1, :, 1] = x.mean(0)
  np.testing.assert_allclose(span, expected.reshape(2, 12))
  found = top_eigenpairs(loss, w, jax.random.key(0), count=3, steps=12)
  largest = 2 * np.linalg.eigvalsh(x.T @ x / 50)[::-1]
  np.testing.assert_allclose(found.values[:2], largest[0])
  shares = share_in_span(found.vectors, span)
  np.testing.assert_allclose(shares[:2], 1, atol=1e-3)
  assert shares[2] < 0.1
  # A direction that is there twice spans no more.
  twice = jnp.concatenate([span, 2 * span[:1] + 1e-18])
  np.testing.assert_allclose(
    share_in_span(found.vectors, twice), shares, atol=1e-6
  )


class Linear(nn.Module):
  """Three matrices whose names are not in the order of their calls."""

  @nn.compact
  def __call__(self, x):
    for name in ("c", "a", "b"):
      x = nn.Dense(4, use_bias=False, name=name, param_dtype=x.dtype)(x)
    return x


def test_an_output_along_the_update_is_the_direct_computation():
  """Sizes of x C, x C A and x C A B, and shares of one, in NumPy, as float64.

  Of |x C A B|^2 / 2 with the update -0.7 times the gradient.
  """
  x = jnp.asarray(RNG.normal(size=(9, 4)))
  model, shares = Linear(), (0.0, 0.25, 1.0)
  variables = model.init(jax.random.key(0), x)
  group = {
    "size": {"measure": "root_mean_square", "layers": ["a", "b", "c"]},
    "ratio": {"measure": "variance", "layers": "b", "relative": "c"},
    "units": {"measure": "mean", "layers": "a", "per_feature": True},
  }
  chosen = {k: own | {"update_shares": shares} for k, own in group.items()}
  found = run_probes(
    make_probes(chosen | {"before": group["size"]}),
    model,
    variables,
    x,
    loss_fn=lambda y: jnp.sum(y**2) / 2,
    update_fn=lambda g: jax.tree.map(lambda g: -0.7 * g, g),
  )
  params = variables["params"]
  c, a, b = (np.asarray(params[name]["kernel"]) for name in "cab")
  x = np.asarray(x)
  error = x @ c @ a @ b
  gradients = (
    x.T @ error @ b.T @ a.T, (x @ c).T @ error @ b.T, (x @ c @ a).T @ error,
  )  # fmt: skip
  for place, share in enumerate(shares):
    c_, a_, b_ = (
      w - 0.7 * share * g for w, g in zip((c, a, b), gradients, strict=True)
    )
    outputs = {"c": x @ c_, "a": x @ c_ @ a_, "b": x @ c_ @ a_ @ b_}
    for name, y in outputs.items():
      close = np.testing.assert_allclose
      close(found["size"][name][place], np.sqrt(np.mean(y**2)), rtol=1e-12)
    ratio = outputs["b"].var() / outputs["c"].var()
    close(found["ratio"]["b"][place], ratio, rtol=1e-12)
    close(found["units"]["a"][place], outputs["a"].mean(0), rtol=1e-12)
  assert found["before"]["a"] == found["size"]["a"][0]
  assert found["size"]["a"].dtype == jnp.float64


def test_shift_of_a_linear_network():
  """Of |x C A B|^2 / 2 the gradients are products, known in NumPy."""
  x = jnp.asarray(RNG.normal(size=(9, 4)))
  model = Linear()
  variables = model.init(jax.random.key(0), x)
  order = order_of(model, variables, x)
  assert order == {"c/kernel": 0, "a/kernel": 1, "b/kernel": 2}
  params = variables["params"]
  updated = jax.tree.map(lambda p: p + RNG.normal(size=p.shape), params)
  loss = lambda p: jnp.sum(model.apply({"params": p}, x) ** 2) / 2
  found = gradient_shifts(
    loss, params, updated, order, ["b/kernel", "c/kernel"]
  )
  c, a, b = (np.asarray(params[k]["kernel"]) for k in "cab")
  new_c, new_a = (np.asarray(updated[k]["kernel"]) for k in "ca")
  by_b = lambda c, a: (x @ c @ a).T @ (x @ c @ a) @ b
  before, after = by_b(c, a), by_b(new_c, new_a)
  norm = np.linalg.norm
  cosine = np.sum(before * after) / norm(before) / norm(after)
  np.testing.assert_allclose(found["b/kernel"].cosine, cosine)
  change = norm(after - before) / norm(before)
  np.testing.assert_allclose(found["b/kernel"].change, change)
  np.testing.assert_allclose(found["c/kernel"], (0, 1), atol=1e-12)


def test_drift_of_an_affine_change_is_known_and_without_a_scale():
  x = RNG.normal(size=(400, 3)) * [1, 10, 0.1]
  x = (x - x.mean(0)) / x.std(0) * [1, 10, 0.1] + [5, 0, -1]
  shift, factor = np.array([0.1, 20.0, 0.03]), 1.5
  after = (x - x.mean(0)) * factor + x.mean(0) + shift
  pair = Pair(jnp.asarray(x), jnp.asarray(RNG.permutation(after)))
  # Median over units of .1, 2 and .3 deviations.
  np.testing.assert_allclose(mean_drift(pair), 0.3)
  np.testing.assert_allclose(variance_drift(pair), 1.25)
  u = (x - x.mean(0)) / x.std(0)
  distance = np.abs((factor - 1) * u + [0.1, 2, 0.3]).mean(0)
  np.testing.assert_allclose(wasserstein_drift(pair), np.median(distance))
  # A dead unit that stays dead does not drift, one that comes to life does.
  dead = Pair(jnp.zeros((4, 1)), jnp.zeros((4, 1)))
  assert wasserstein_drift(dead) == 0
  assert mean_drift(dead._replace(after=jnp.ones((4, 1)))) == jnp.inf
