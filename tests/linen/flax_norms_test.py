"""Layer, RMS, group and instance norm beside Flax's, argument by argument."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from bnjax import linen

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, (4, 3, 5, 8)).astype(np.float32)
MASK = RNG.random((4, 3, 5, 8)) < 0.8
NAMES = ("LayerNorm", "RMSNorm", "GroupNorm", "InstanceNorm")


@pytest.mark.parametrize("name", NAMES)
def test_takes_flax_arguments_in_flax_order(name):
  ours, theirs = getattr(linen, name), getattr(nn, name)
  of_flax = list(inspect.signature(theirs).parameters.values())
  found = list(inspect.signature(ours).parameters.values())
  described = lambda ps: [(p.name, p.kind, str(p.default)) for p in ps]
  assert described(found) == described(of_flax)
  assert issubclass(ours, theirs)


CASES = [
  ("LayerNorm", {}),
  ("LayerNorm", {"epsilon": 0.1, "use_fast_variance": False}),
  ("LayerNorm", {"reduction_axes": (1, 2, 3)}),
  ("LayerNorm", {"reduction_axes": (-1, 1), "feature_axes": (3, 1)}),
  ("LayerNorm", {"use_scale": False, "use_bias": False}),
  ("LayerNorm", {"param_dtype": jnp.bfloat16}),
  ("LayerNorm", {"dtype": jnp.bfloat16}),
  ("RMSNorm", {}),
  ("RMSNorm", {"reduction_axes": (1, 2), "epsilon": 0.1}),
  ("RMSNorm", {"use_scale": False, "dtype": jnp.bfloat16}),
  ("GroupNorm", {"num_groups": 4}),
  ("GroupNorm", {"num_groups": None, "group_size": 2}),
  ("GroupNorm", {"num_groups": 1, "reduction_axes": (2, -1)}),
  ("GroupNorm", {"num_groups": 2, "use_bias": False, "dtype": jnp.bfloat16}),
  ("InstanceNorm", {}),
  ("InstanceNorm", {"feature_axes": (1, 3), "epsilon": 0.1}),
  ("InstanceNorm", {"feature_axes": 1, "use_scale": False}),
]


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("name", "fields"), CASES)
def test_equals_flax(name, fields, masked):
  """Variables load either way, and the outputs are equal."""
  ours, theirs = getattr(linen, name)(**fields), getattr(nn, name)(**fields)
  init = jax.nn.initializers.normal(1.0)
  random = {
    f"{p}_init": init for p in ("scale", "bias") if hasattr(ours, f"{p}_init")
  }
  made, expected = (
    norm.clone(**random).init(jax.random.key(1), X) for norm in (ours, theirs)
  )
  jax.tree.map(np.testing.assert_array_equal, made, expected)
  dtypes = lambda tree: jax.tree.map(lambda a: a.dtype, tree)
  assert dtypes(made) == dtypes(expected)
  mask = MASK if masked else None
  y, want = ours.apply(made, X, mask=mask), theirs.apply(made, X, mask=mask)
  assert y.dtype == want.dtype
  if masked:
    want = jnp.where(mask, want, 0)
  tolerance = 2e-2 if y.dtype == jnp.bfloat16 else 1e-4
  np.testing.assert_allclose(
    y.astype(jnp.float32),
    want.astype(jnp.float32),
    rtol=tolerance,
    atol=tolerance,
  )


def test_far_from_zero_it_is_exact_where_flax_is_not():
  x = X + np.float32(1e4)
  exact = (np.float64(x) - np.mean(x, -1, np.float64, keepdims=True)) / np.std(
    np.float64(x), -1, keepdims=True
  )
  error = lambda norm: np.abs(norm.apply({}, x) - exact).max()
  plain = {"use_scale": False, "use_bias": False}
  assert error(linen.LayerNorm(**plain)) < 1e-4
  assert error(nn.LayerNorm(**plain)) > 1e-1


@pytest.mark.parametrize("name", NAMES)
def test_index_groups_pool_apart(name):
  """Four members in two groups, each with half of an example's rows."""
  fields = {"num_groups": 4} if name == "GroupNorm" else {}
  if name in ("LayerNorm", "RMSNorm"):
    fields = {"reduction_axes": (1, 2, 3)}
  norm = getattr(linen, name)(**fields)
  x = X[:, :2].reshape(2, 2, 2, 5, 8)[:, :, :, None]  # [group, n, rows, ...]
  members = jnp.moveaxis(x, 2, 1).reshape(4, 2, 1, 5, 8)
  variables = norm.init(jax.random.key(0), members[0])
  apart = norm.clone(axis_name="d", axis_index_groups=[[0, 1], [2, 3]])
  y = jax.vmap(lambda x: apart.apply(variables, x), axis_name="d")(members)
  whole = [norm.apply(variables, g[:, :, 0]) for g in x]
  expected = jnp.stack(whole)[:, :, :, None]
  expected = jnp.moveaxis(expected, 2, 1).reshape(4, 2, 1, 5, 8)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
  ("norm", "message"),
  [
    (linen.GroupNorm(num_groups=3), "num_groups=3 does not divide 8 .* take 2"),
    (linen.GroupNorm(None, 5), "group_size=5 do not divide 8 .* take 4"),
    (linen.GroupNorm(4, 2), "num_groups=4 or group_size=2"),
    (linen.GroupNorm(4, reduction_axes=1), "must hold the last axis"),
    (linen.InstanceNorm(feature_axes=(0, -1)), "which is the batch"),
    (linen.GroupNorm(num_groups=8), "One number has no variance"),
  ],
)
def test_what_is_wrong_is_named(norm, message):
  with pytest.raises(ValueError, match=message):
    norm.init(jax.random.key(0), X[:, 0, 0] if "number" in message else X)


def test_groups_follow_the_features_where_none_are_asked_for():
  x = np.float32(RNG.normal(size=(2, 3, 12)))
  chosen, six = (linen.GroupNorm(num_groups=n) for n in (None, 6))
  variables = chosen.init(jax.random.key(0), x)
  np.testing.assert_array_equal(
    chosen.apply(variables, x), six.apply(variables, x)
  )
