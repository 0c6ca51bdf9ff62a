"""What all norms have in common: variables, masks, dtypes, devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from bnjax import linen

RNG = np.random.default_rng(0)
X = RNG.normal(1, 2, (8, 2, 3, 4)).astype(np.float32)
KEY = jax.random.key(0)
AFFINE = {"scale": (4,), "bias": (4,)}
MOMENTS = {"mean": (4,), "var": (4,)}
# Module -> a partial of it, its parameters, its running statistics.
NORMS = {
  "BatchNorm": (linen.BatchNorm, AFFINE, MOMENTS),
  "BatchRenorm": (linen.BatchRenorm, AFFINE, MOMENTS),
  "GhostBatchNorm": (partial(linen.GhostBatchNorm, groups=1), AFFINE, MOMENTS),
  "L1BatchNorm": (linen.L1BatchNorm, AFFINE, MOMENTS),
  "LpBatchNorm": (linen.LpBatchNorm, AFFINE, MOMENTS),
  "NoisyBatchNorm": (
    partial(linen.NoisyBatchNorm, dose=0, stretch=1, jitter=0),
    AFFINE,
    MOMENTS,
  ),
  "EvoNormB0": (linen.EvoNormB0, {**AFFINE, "v": (4,)}, MOMENTS),
  "Whitening": (linen.Whitening, AFFINE, {"mean": (4,), "cov": (1, 4, 4)}),
  "IterNorm": (
    partial(linen.IterNorm, group_size=2),
    AFFINE,
    {"mean": (4,), "cov": (2, 2, 2)},
  ),
  "EvoNormS0": (linen.EvoNormS0, {**AFFINE, "v": (4,)}, {}),
  "FilterResponseNorm": (
    linen.FilterResponseNorm,
    {**AFFINE, "threshold": (4,)},
    {},
  ),
  "FeatureNorm": (linen.FeatureNorm, {}, {}),
  "LayerNorm": (linen.LayerNorm, AFFINE, {}),
  "RMSNorm": (linen.RMSNorm, {"scale": (4,)}, {}),
  "GroupNorm": (partial(linen.GroupNorm, num_groups=2), AFFINE, {}),
  "InstanceNorm": (linen.InstanceNorm, AFFINE, {}),
}
RUNNING = [name for name, (_, _, stats) in NORMS.items() if stats]
EVERY = pytest.mark.parametrize("name", NORMS)
EVERY_RUNNING = pytest.mark.parametrize("name", RUNNING)


def _make(name, x=X, **fields):
  """A module, and variables that are none of the initial ones."""
  norm = NORMS[name][0](**fields)
  variables = norm.init(KEY, x, use_running_average=True)
  params = jax.tree.map(
    lambda p: p + jnp.linspace(0.1, 0.4, p.size, dtype=p.dtype),
    variables.get("params", {}),
  )
  return norm, {**variables, "params": params}


def _train(norm, variables, x=X, mask=None):
  y, updates = norm.apply(
    variables, x, use_running_average=False, mask=mask, mutable=["batch_stats"]
  )
  return y, updates.get("batch_stats", {})


def test_none_is_forgotten():
  besides = {"WeightStandardization"}  # Of a kernel.
  assert NORMS.keys() == set(linen.__all__) - besides


@EVERY
def test_one_row_initializes_what_is_named(name):
  make, params, stats = NORMS[name]
  norm = make(param_dtype=jnp.bfloat16) if params else make()
  variables = norm.init(KEY, X[:1], use_running_average=False)
  found = {
    kind: {k: (v.shape, v.dtype) for k, v in values.items()}
    for kind, values in variables.items()
  }
  half, whole = jnp.dtype(jnp.bfloat16), jnp.dtype(jnp.float32)
  expected = {
    "params": {k: (shape, half) for k, shape in params.items()},
    "batch_stats": {k: (shape, whole) for k, shape in stats.items()},
  }
  assert found == {kind: values for kind, values in expected.items() if values}
  if stats:
    norm = make(param_dtype=jnp.bfloat16, force_float32_reductions=False)
    kept = jax.eval_shape(lambda: norm.init(KEY, X, True))["batch_stats"]
    assert {v.dtype for v in kept.values()} == {half}
    _, updates = _train(norm, norm.init(KEY, X, True))
    assert {v.dtype for v in updates.values()} == {half}


@EVERY
def test_parameters_can_be_left_out_and_initialized_otherwise(name):
  make, params, _ = NORMS[name]
  for parameter in ("scale", "bias"):
    if parameter not in params:
      continue
    seven = jax.nn.initializers.constant(7.0)
    made = make(**{f"{parameter}_init": seven}).init(KEY, X, True)["params"]
    np.testing.assert_array_equal(made[parameter], 7.0)
    left = make(**{f"use_{parameter}": False}).init(KEY, X, True)
    assert left.get("params", {}).keys() == params.keys() - {parameter}


@EVERY
def test_masked_rows_count_for_nothing(name):
  norm, variables = _make(name)
  rows = np.arange(8) < 6
  poisoned = np.where(rows[:, None, None, None], X, np.float32(1e6))
  y, stats = _train(norm, variables, poisoned, rows[:, None, None, None])
  expected, kept = _train(norm, variables, X[:6])
  np.testing.assert_allclose(y[:6], expected, rtol=1e-4, atol=1e-5)
  np.testing.assert_array_equal(y[6:], 0)
  assert stats.keys() == kept.keys()
  for key, value in stats.items():
    np.testing.assert_allclose(value, kept[key], rtol=1e-4, atol=1e-6)


@EVERY
@pytest.mark.parametrize(
  ("x_dtype", "dtype", "expected"),
  [
    (jnp.bfloat16, None, None),
    (jnp.int32, jnp.bfloat16, jnp.bfloat16),
  ],
)
def test_dtype_is_that_of_the_result(name, x_dtype, dtype, expected):
  """By default that of x and the parameters together, which are float32."""
  if expected is None:
    expected = jnp.float32 if NORMS[name][1] else jnp.bfloat16
  norm, variables = _make(name, dtype=dtype)
  x = jnp.asarray(10 * X, x_dtype)
  y, stats = _train(norm, variables, x)
  assert y.dtype == expected
  assert {v.dtype for v in stats.values()} <= {jnp.dtype(jnp.float32)}
  # Nothing was rounded between x and y.
  exact, _ = _train(_make(name)[0], variables, x.astype(jnp.float32))
  tolerance = 1e-2 if expected == jnp.bfloat16 else 1e-5
  np.testing.assert_allclose(
    y.astype(jnp.float32), exact, rtol=tolerance, atol=tolerance
  )


@EVERY_RUNNING
def test_inference_by_the_statistics_of_a_batch_is_training_on_it(name):
  norm, variables = _make(name, momentum=0.0)
  y, stats = _train(norm, variables)
  if name == "BatchRenorm":  # Trains by the statistics before this batch.
    y, _ = _train(norm, {**variables, "batch_stats": stats})
  after = {**variables, "batch_stats": stats}
  for infer in (
    norm.apply(after, X, use_running_average=True),
    norm.clone(use_running_average=True).apply(after, X),
  ):
    np.testing.assert_allclose(infer, y, rtol=1e-4, atol=1e-4)
  # The other examples do not matter.
  alone = norm.apply(after, X[3:4], use_running_average=True)
  np.testing.assert_allclose(alone, infer[3:4], rtol=1e-5, atol=1e-6)


@EVERY_RUNNING
def test_running_statistics_become_those_of_the_population(name):
  """200 batches of one distribution: inference is training on a large one."""
  norm, variables = _make(name, momentum=0.95)
  rng = np.random.default_rng(0)  # The same features for every norm.
  mix = rng.normal(size=(4, 4)).astype(np.float32)
  batches = (rng.normal(size=(200, 16, 2, 3, 4)) @ mix + 1).astype(np.float32)

  @jax.jit
  def run(stats):
    step = lambda stats, x: (
      _train(norm, {**variables, "batch_stats": stats}, x)[1],
      None,
    )
    return jax.lax.scan(step, stats, batches)[0]

  after = {**variables, "batch_stats": run(variables["batch_stats"])}
  large = batches[:40].reshape(-1, 2, 3, 4)
  y, _ = _train(norm, after, large)
  inferred = norm.apply(after, large, use_running_average=True)
  assert np.abs(inferred - y).mean() < 0.05 * np.abs(y).mean()


@EVERY_RUNNING
def test_use_running_average_is_given_once(name):
  norm, variables = _make(name)
  with pytest.raises(ValueError, match="use_running_average"):
    norm.apply(variables, X)
  with pytest.raises(ValueError, match="use_running_average"):
    norm.clone(use_running_average=True).apply(variables, X, True)


@EVERY
def test_gradients_reach_parameters_and_x_and_not_the_statistics(name):
  norm, variables = _make(name)
  weights = jnp.asarray(RNG.normal(size=X.shape).astype(np.float32))

  def loss(params, x):
    y, stats = _train(norm, {**variables, "params": params}, x)
    kept = jnp.float32(0) + sum(map(jnp.sum, jax.tree.leaves(stats)))
    return jnp.sum(weights * y), kept

  @jax.jit  # operation by operation takes twice the time
  def gradients(params, x):
    return (
      jax.grad(lambda *a: loss(*a)[0], (0, 1))(params, x),
      jax.grad(lambda x: jnp.sum(loss(params, x)[1]))(x),
    )

  (by_params, by_x), through = gradients(variables["params"], X)
  assert all(np.any(leaf) for leaf in jax.tree.leaves(by_params))
  assert np.isfinite(by_x).all()
  assert np.any(by_x)
  np.testing.assert_array_equal(through, 0)


# Sharded over the batch, or over what an example is averaged over.
SHARDED = {
  **dict.fromkeys(RUNNING, (0, {})),
  "FilterResponseNorm": (1, {}),
  "GroupNorm": (1, {}),
  "InstanceNorm": (1, {}),
  "LayerNorm": (1, {"reduction_axes": (1, 2, 3)}),
  "RMSNorm": (1, {"reduction_axes": (1, 2, 3)}),
}


@pytest.mark.parametrize("name", SHARDED)
def test_devices_together_are_one_batch(name):
  axis, fields = SHARDED[name]
  norm, variables = _make(name, **fields)
  expected, stats = _train(norm, variables)
  mesh = jax.make_mesh(
    (2,), ("d",), axis_types=(AxisType.Auto,), devices=jax.devices()[:2]
  )
  spec = PartitionSpec(*[None] * axis, "d")
  program = jax.shard_map(
    lambda v, x: _train(norm.clone(axis_name="d"), v, x),
    mesh=mesh,
    in_specs=(PartitionSpec(), spec),
    out_specs=(spec, PartitionSpec()),
    check_vma=False,
  )
  y, together = jax.jit(program)(variables, X)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
  for key, value in together.items():
    np.testing.assert_allclose(value, stats[key], rtol=1e-4, atol=1e-6)


@EVERY
def test_what_is_wrong_is_refused(name):
  norm, variables = _make(name)
  with pytest.raises(TypeError):
    _train(norm, variables, X.astype(np.complex64))
  with pytest.raises(ValueError, match="does not broadcast"):
    _train(norm, variables, X, np.ones((5, 1, 1, 1), bool))
  if not isinstance(norm, linen.BatchNorm):
    with pytest.raises(TypeError, match="mask must be boolean, got float32"):
      _train(norm, variables, X, np.ones((8, 1, 1, 1), np.float32))


@pytest.mark.parametrize("name", sorted({*RUNNING} - {"BatchRenorm"}))
def test_one_value_is_an_error_in_training(name):
  norm, variables = _make(name, np.ones((1, 1, 1, 4), np.float32))
  with pytest.raises(ValueError, match=r"[Oo]ne (number|value)|variance"):
    _train(norm, variables, np.ones((1, 1, 1, 4), np.float32))
