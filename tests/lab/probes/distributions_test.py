"""Percentiles and histograms, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab import probes
from bnjax.lab.errors import UserError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(31, 7)).astype(np.float32)
Q = (0, 15, 50, 85, 99.5, 100)


@pytest.mark.parametrize("rows", [1, 2, 31])
@pytest.mark.parametrize("q", [50, (15, 50, 85), Q, np.array([2.5, 97.5])])
def test_percentiles_equal_numpy(q, rows):
  x = X[:rows]
  y = jax.jit(lambda x: probes.percentiles(x, q))(x)
  expected = np.percentile(x.astype(np.float64), q)
  assert y.shape == expected.shape
  np.testing.assert_allclose(y, expected, rtol=1e-6, atol=1e-7)


def test_percentiles_of_each_feature():
  group = {"measure": "percentiles", "q": Q, "per_feature": True}
  (probe,) = probes.make_probes({"p": group})
  expected = np.percentile(X.astype(np.float64), Q, axis=0)
  np.testing.assert_allclose(probe(X), expected, rtol=1e-5, atol=1e-6)


def test_percentiles_in_float64_are_numpys():
  with jax.enable_x64(True):
    x = RNG.normal(size=1001)
    np.testing.assert_allclose(
      probes.percentiles(x, Q), np.percentile(x, Q), rtol=1e-14
    )


def test_percentiles_of_infinities_and_nans():
  x = jnp.array([-jnp.inf, 1.0, 2.0, jnp.inf, jnp.inf])
  np.testing.assert_array_equal(probes.percentiles(x, (0, 25, 50, 75, 100)), x)
  assert probes.percentiles(x, 90) == jnp.inf
  assert np.isnan(probes.percentiles(x.at[1].set(jnp.nan), (5, 95))).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("limits", [None, (-1, 1.5), (0.0, 0.3)])
@pytest.mark.parametrize("bins", [1, 10, 60])
def test_histogram_equals_numpy(bins, limits, dtype):
  with jax.enable_x64(dtype == np.float64):
    x = RNG.normal(size=(100, 7)).astype(dtype)
    x[0, :3] = (-1, 0.3, 1.5)  # at the edges
    counts, edges = jax.jit(lambda x: probes.histogram(x, bins, limits))(x)
    expected, expected_edges = np.histogram(x, np.asarray(edges))
    np.testing.assert_array_equal(counts, expected)
    _, expected_edges = np.histogram(x.astype(np.float64), bins, limits)
    rtol = np.finfo(dtype).eps * 4
    np.testing.assert_allclose(edges, expected_edges, rtol=rtol, atol=rtol)
    if limits is None:
      assert counts.sum() == x.size


def test_histogram_of_whole_numbers_in_place():
  x = np.repeat(np.arange(5), [1, 2, 3, 4, 5])
  counts, edges = probes.histogram(x, 4, (0, 4))
  np.testing.assert_array_equal(counts, [1, 2, 3, 9])
  np.testing.assert_array_equal(edges, [0, 1, 2, 3, 4])
  assert counts.dtype == jnp.int32


def test_histogram_of_odd_data():
  same = probes.histogram(jnp.full(5, 7.0), 4)
  np.testing.assert_array_equal(same.edges, [6.5, 6.75, 7, 7.25, 7.5])
  np.testing.assert_array_equal(same.counts, [0, 0, 5, 0])
  # A diverged network: what is not finite is nowhere, and spoils nothing.
  x = jnp.array([0.0, jnp.nan, 1.0, jnp.inf, -jnp.inf, 4.0])
  partly = probes.histogram(x, 2)
  np.testing.assert_array_equal(partly.edges, [0, 2, 4])
  np.testing.assert_array_equal(partly.counts, [2, 1])
  none = probes.histogram(jnp.full(3, jnp.nan), 2)
  np.testing.assert_array_equal(none.edges, [0, 0.5, 1])
  np.testing.assert_array_equal(none.counts, [0, 0])


def test_log10_histogram_counts_orders_and_zeros():
  x = np.array([0, 0, 2e-30, -3e-30, 5e-12, 0.5, -7, np.nan], np.float32)
  counts, edges, zeros = jax.jit(
    lambda x: probes.log10_histogram(x, 4, (-36, 4))
  )(x)
  np.testing.assert_array_equal(edges, [-36, -26, -16, -6, 4])
  np.testing.assert_array_equal(counts, [2, 0, 1, 2])
  np.testing.assert_allclose(zeros, 2 / 8)
  # The range of the data leaves the zeros out.
  np.testing.assert_allclose(
    probes.log10_histogram(x, 2).edges[jnp.array([0, 2])],
    np.log10([2e-30, 7]),
    rtol=1e-6,
  )
  empty = probes.log10_histogram(jnp.zeros(3), 2)
  assert empty.zero_fraction == 1
  assert empty.counts.sum() == 0


@pytest.mark.parametrize("name", ["percentiles", "histogram"])
def test_vmap_equals_a_loop(name):
  arguments = {"q": Q} if name == "percentiles" else {}
  function = lambda x: probes.MEASURES[name](x, **arguments)
  x = RNG.normal(size=(3, 8, 2)).astype(np.float32)
  together = jax.vmap(function)(x)
  for i in range(3):
    jax.tree.map(
      lambda a, b, i=i: np.testing.assert_allclose(a[i], b, atol=1e-6),
      together,
      function(x[i]),
    )


@pytest.mark.parametrize(
  ("call", "message"),
  [
    (lambda: probes.percentiles(X, (50, 150)), r"^q: 150 is not in \[0, 100\]"),
    (lambda: probes.percentiles(X, "median"), r"^q: 'm' is not in \[0, 100\]"),
    (lambda: probes.histogram(X, 0), "^bins: 0 is too small; at least 1$"),
    (lambda: probes.histogram(X, 2.5), "^bins: 2.5 is not a whole number$"),
    (lambda: probes.histogram(X, 3, (1, 0)), r"^range: \(1, 0\) is not"),
    (lambda: probes.log10_histogram(X, 3, 5), "^range: 5 is not"),
  ],
)
def test_what_is_wrong_is_named(call, message):
  with pytest.raises(UserError, match=message):
    call()
