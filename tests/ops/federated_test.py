"""Statistics of several models' data are those of all of it together."""

import flax
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import bnjax.linen
import bnjax.nnx
from bnjax import merge_batch_stats, ops
from bnjax.ops import cumulative, debiased_ema, ema

RNG = np.random.default_rng(0)
SIZES = [5, 40, 12]
PARTS = [
  np.asarray(RNG.normal(4 * i, 1 + i, (n, 3, 2)), np.float32)
  for i, n in enumerate(SIZES)
]
ALL = np.concatenate(PARTS).astype(np.float64)
COUNTS = [3 * n for n in SIZES]  # With positions.


class Model(nn.Module):
  norm: type = nn.BatchNorm
  fields: dict = flax.core.FrozenDict()

  @nn.compact
  def __call__(self, x):
    fields = {"momentum": 0.0, "use_running_average": False, **self.fields}
    y = self.norm(**fields, name="a")(x)
    return self.norm(**fields, name="b")(2 * x) + y


def trained(x, **arguments):
  model = Model(**arguments)
  variables = model.init(jax.random.key(0), x)
  return model.apply(variables, x, mutable=["batch_stats"])[1]["batch_stats"]


def assert_pooled(stats, ddof=0, rtol=2e-6):
  axes = (0, 1)
  for name, factor in (("a", 1), ("b", 2)):
    mean, var = ALL.mean(axes), ALL.var(axes, ddof=ddof)
    got = stats[name]
    np.testing.assert_allclose(got["mean"], factor * mean, rtol=rtol)
    np.testing.assert_allclose(got["var"], factor**2 * var, rtol=rtol)


@pytest.mark.parametrize("norm", [nn.BatchNorm, bnjax.linen.BatchNorm])
def test_linen(norm):
  trees = [trained(x, norm=norm) for x in PARTS]
  merged = merge_batch_stats(trees, COUNTS)
  assert jax.tree.structure(merged) == jax.tree.structure(trees[0])
  assert_pooled(merged, rtol=1e-5)
  assert_pooled(merge_batch_stats(trees, SIZES), rtol=1e-5)  # Ratios.
  frozen = [flax.core.freeze(tree) for tree in trees]
  assert_pooled(
    jax.jit(merge_batch_stats)(frozen, jnp.array(COUNTS)), rtol=1e-5
  )


@pytest.mark.parametrize("weighting", ["batch", "count"])
@pytest.mark.parametrize("unbiased", [False, True])
def test_rules_that_count(weighting, unbiased):
  rule = cumulative(weighting=weighting, unbiased=unbiased)
  norm, fields = bnjax.linen.BatchNorm, flax.core.FrozenDict(rule=rule)
  trees = [trained(x, norm=norm, fields=fields) for x in PARTS]
  merged = merge_batch_stats(trees, COUNTS, rule=rule)
  assert_pooled(merged, int(unbiased))
  want = len(PARTS) if weighting == "batch" else ALL[..., 0].size
  for name in ("weight", "var_weight"):
    np.testing.assert_array_equal(merged["a"][name], [want, want])


def test_unbiased_by_a_presets_name_and_debiased_weights():
  axes = (0, 1)
  trees = [{"mean": x.mean(axes), "var": x.var(axes, ddof=1)} for x in PARTS]
  got = merge_batch_stats(trees, COUNTS, rule="pytorch")
  np.testing.assert_allclose(got["var"], ALL.var(axes, ddof=1), rtol=2e-6)
  weights = [0.1, 0.2, 0.4]
  trees = [
    {**tree, "weight": np.full(2, w, np.float32)}
    for tree, w in zip(trees, weights, strict=True)
  ]
  got = merge_batch_stats(trees, [1, 1, 2], rule=debiased_ema(0.9))
  np.testing.assert_allclose(got["weight"], [0.275, 0.275], rtol=1e-6)


def test_nnx_and_running():
  states, runnings = [], []
  for x in PARTS:
    model = nnx.List([bnjax.nnx.BatchNorm(2, momentum=0.0, rngs=nnx.Rngs(0))])
    model[0](x)
    states.append(nnx.state(model, nnx.BatchStat))
    batch = ops.batch_moments(x)
    runnings.append(ops.update_running(ops.init_running(2), batch, ema(0.0)))
  merged = merge_batch_stats(states, COUNTS)
  nnx.update(model, merged)
  running = merge_batch_stats(runnings, COUNTS, rule=ema(0.0))
  for stats in (model[0], running):
    np.testing.assert_allclose(stats.mean[...], ALL.mean((0, 1)), rtol=2e-6)
    np.testing.assert_allclose(stats.var[...], ALL.var((0, 1)), rtol=2e-6)


def test_large_means_are_exact():
  x = (1e4 + RNG.normal(size=(4, 64, 3))).astype(np.float32)
  x = np.round(x * 16) / 16  # Means of 64 have no more digits than float32.
  trees = [
    {"mean": part.mean(0, dtype=float), "var": part.var(0, dtype=float)}
    for part in x
  ]
  trees = jax.tree.map(np.float32, trees)
  got = merge_batch_stats(trees, [64] * 4)
  wide = x.reshape(-1, 3).astype(float)
  np.testing.assert_allclose(got["mean"], wide.mean(0), rtol=1e-7)
  np.testing.assert_allclose(got["var"], wide.var(0), rtol=1e-6)


def test_a_model_of_count_0_is_left_out_whatever_it_holds():
  some = {"mean": jnp.array([3.0, 1.0]), "var": jnp.array([4.0, 2.0])}
  none = jax.tree.map(lambda leaf: jnp.full_like(leaf, jnp.nan), some)
  for trees, counts in (([none, some], [0, 7]), ([some, none], [7, 0])):
    got = merge_batch_stats(trees, counts)
    jax.tree.map(np.testing.assert_array_equal, got, some)
  got = jax.jit(merge_batch_stats)([some, none], jnp.zeros(2))
  jax.tree.map(np.testing.assert_array_equal, got, some)
  counts = [np.array([1, 0]), np.array([0, 2])]  # Feature by feature.
  other = {"mean": jnp.array([np.nan, 5.0]), "var": jnp.array([np.nan, 6.0])}
  got = merge_batch_stats([some, other], counts)
  np.testing.assert_array_equal(got["mean"], [3, 5])
  np.testing.assert_array_equal(got["var"], [4, 6])


def test_errors_name_the_path():
  one = {"a": {"norm": {"mean": np.zeros(2), "var": np.ones(2)}}}
  wide = {"a": {"norm": {"mean": np.zeros(2), "var": np.ones(3)}}}
  less = {"a": {"norm": {"mean": np.zeros(2)}}}
  weighed = {"a": {"norm": {**one["a"]["norm"], "weight": np.ones(2)}}}
  for trees, counts, match in (
    ([one, less], [1, 1], "tree 1 has no a/norm/var"),
    ([less, one], [1, 1], "tree 0 has no a/norm/var"),
    (
      [one, wide],
      [1, 1],
      r"a/norm/var is \(2,\) in tree 0 and \(3,\) in tree 1",
    ),
    ([less], [1], r"a/norm holds \['mean'\]"),
    ([{"kernel": np.ones(2)}], [1], r"The tree holds \['kernel'\]"),
    ([weighed], [1], "a/norm has a weight.*rule="),
    ([one, one], [1], "2 trees needs a count, and there are 1"),
    ([], [], "0 trees"),
    ([one], [-1], "not negative"),
    ([one], [np.nan], "finite"),
    ([one, one], [0, 0], "All counts are 0"),
  ):
    with pytest.raises(ValueError, match=match):
      merge_batch_stats(trees, counts)
  with pytest.raises(TypeError, match="Count 0"):
    merge_batch_stats([one], ["3"])
