"""The values of each norm, against formulas, float64 and NumPy."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import AxisType, PartitionSpec

from bnjax import linen, ops
from bnjax.ops import debiased_ema, renorm_schedule
from bnjax.tools import fold, recalibrate

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, (12, 5)).astype(np.float32)
IMAGES = RNG.normal(1, 2, (4, 3, 3, 6)).astype(np.float32)
KEY = jax.random.key(0)


def _train(norm, variables, x):
  return norm.apply(variables, x, False, mutable=["batch_stats"])


def _random(norm, x):
  """Variables with parameters of their own."""
  variables = norm.init(KEY, x, True)
  draw = lambda p: p + np.float32(RNG.normal(size=p.shape))
  return {**variables, "params": jax.tree.map(draw, variables["params"])}


def test_renorm_is_the_papers_algorithm_step_by_step():
  """Algorithm 1 in float64; here, as in Flax, the variance is averaged."""
  norm = linen.BatchRenorm(momentum=0.9, r_max=1.5, d_max=0.5, epsilon=1e-3)
  variables = _random(norm, X)
  mean, var = np.zeros(5), np.ones(5)
  p = jax.tree.map(np.float64, variables["params"])
  for _ in range(4):
    x = np.float64(np.float32(RNG.normal(1, 2, (12, 5))))
    s, far = np.sqrt(x.var(0) + 1e-3), np.sqrt(var + 1e-3)
    r = np.clip(s / far, 1 / 1.5, 1.5)
    d = np.clip((x.mean(0) - mean) / far, -0.5, 0.5)
    expected = ((x - x.mean(0)) / s * r + d) * p["scale"] + p["bias"]
    y, updates = _train(norm, variables, np.float32(x))
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    mean = 0.9 * mean + 0.1 * x.mean(0)
    var = 0.9 * var + 0.1 * x.var(0)
    variables = {**variables, **updates}
    np.testing.assert_allclose(updates["batch_stats"]["mean"], mean, rtol=1e-5)
    np.testing.assert_allclose(updates["batch_stats"]["var"], var, rtol=1e-5)
  # Inference is batch norm's.
  np.testing.assert_array_equal(
    norm.apply(variables, X, True),
    linen.BatchNorm(epsilon=1e-3).apply(variables, X, True),
  )


def test_crossq_is_batch_norm_until_a_step_and_then_follows_inference():
  warmup = partial(renorm_schedule, start=1, r_end=2, d_end=2)
  norm = linen.BatchRenorm(schedule=warmup, r_max=1e6, d_max=1e6)
  plain = linen.BatchNorm()
  variables = norm.init(KEY, X[:1], False)
  step = variables["batch_stats"]["step"]
  assert (step.shape, step.dtype, int(step)) == ((), jnp.int32, 0)
  for i in range(4):
    y, updates = _train(norm, variables, X)
    by_batch, _ = _train(plain, variables, X)
    expected = by_batch if i < 2 else norm.apply(variables, X, True)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
    assert updates["batch_stats"]["step"] == i + 1
    variables = {**variables, **updates}
  # A batch norm's variables do for inference, and to go on training.
  kept = {k: v for k, v in variables["batch_stats"].items() if k != "step"}
  loaded = {**variables, "batch_stats": kept}
  np.testing.assert_array_equal(
    norm.apply(loaded, X, True), norm.apply(variables, X, True)
  )
  assert _train(norm, loaded, X)[1]["batch_stats"]["step"] == 1
  # What updates nothing does not count.
  frozen = norm.clone(update_running=False)
  assert _train(frozen, variables, X)[1]["batch_stats"]["step"] == 4


def test_renorm_takes_what_batch_norm_takes():
  norm = linen.BatchRenorm(rule=debiased_ema(0.9), activation="relu", axis=1)
  x = np.moveaxis(IMAGES, -1, 1)
  variables = norm.init(KEY, x, True)
  _, updates = _train(norm, variables, x)
  np.testing.assert_allclose(
    updates["batch_stats"]["mean"], x.mean((0, 2, 3)), rtol=1e-5
  )
  y, _ = _train(norm, {**variables, **updates}, x)
  expected = ops.batch_norm(x, None, None, feature_axes=1)[0]
  np.testing.assert_allclose(y, np.maximum(expected, 0), rtol=1e-4, atol=1e-4)
  with pytest.raises(ValueError, match="r_max must be at least 1"):
    _train(linen.BatchRenorm(r_max=0.5), variables, np.moveaxis(x, 1, -1))


@pytest.mark.parametrize("how", [{"groups": 3}, {"group_size": 4}])
@pytest.mark.parametrize("between", [True, False])
def test_ghosts_are_batches_of_their_own(how, between):
  norm = linen.GhostBatchNorm(**how, between=between, momentum=0.0)
  variables = _random(norm, X)
  y, updates = _train(norm, variables, X)
  plain = linen.BatchNorm()
  parts = [_train(plain, variables, part)[0] for part in np.split(X, 3)]
  np.testing.assert_allclose(y, np.concatenate(parts), rtol=1e-5, atol=1e-5)
  stats, wide = updates["batch_stats"], np.float64(X)
  within = np.mean([part.var(0) for part in np.split(wide, 3)], axis=0)
  expected = wide.var(0) if between else within
  np.testing.assert_allclose(stats["mean"], wide.mean(0), rtol=1e-5)
  np.testing.assert_allclose(stats["var"], expected, rtol=1e-5)


@pytest.mark.parametrize("how", [{"groups": 2}, {"group_size": 4}])
def test_ghosts_are_the_same_on_any_number_of_devices(how):
  x = np.float32([1, 3, 10, 30, 100, 300, 1000, 3000])[:, None]
  norm = linen.GhostBatchNorm(**how, use_running_average=False)
  variables = norm.init(KEY, x)
  expected, stats = norm.apply(variables, x, mutable=["batch_stats"])
  mesh = jax.make_mesh(
    (4,), ("d",), axis_types=(AxisType.Auto,), devices=jax.devices()[:4]
  )
  run = jax.shard_map(
    lambda x: norm.clone(axis_name="d").apply(
      variables, x, mutable=["batch_stats"]
    ),
    mesh=mesh,
    in_specs=PartitionSpec("d"),
    out_specs=(PartitionSpec("d"), PartitionSpec()),
    check_vma=False,
  )
  y, together = jax.jit(run)(x)
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)
  for name, value in together["batch_stats"].items():
    np.testing.assert_allclose(value, stats["batch_stats"][name], rtol=1e-5)


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({}, "either groups, their number, or group_size"),
    ({"groups": 2, "group_size": 2}, "either groups, their number"),
    ({"groups": 0}, "must be positive"),
    ({"group_size": 5}, "group_size=5 do not divide 12 examples"),
    ({"groups": 5}, "5 groups do not divide 12"),
    (
      {"groups": 2, "axis_name": "d", "axis_index_groups": [[0]]},
      "leave out axis_index_groups",
    ),
  ],
)
def test_ghosts_that_do_not_fit(fields, message):
  def train():
    norm = linen.GhostBatchNorm(**fields)
    _train(norm, norm.init(KEY, X, True), X)

  with pytest.raises(ValueError, match=message):
    train()


def test_l1_is_the_mean_absolute_deviation():
  norm = linen.L1BatchNorm(momentum=0.5, activation="relu")
  variables = _random(norm, X)
  y, updates = _train(norm, variables, X)
  x, p = np.float64(X), jax.tree.map(np.float64, variables["params"])
  s2 = np.pi / 2 * np.abs(x - x.mean(0)).mean(0) ** 2
  expected = (x - x.mean(0)) / np.sqrt(s2 + 1e-5) * p["scale"] + p["bias"]
  np.testing.assert_allclose(y, np.maximum(expected, 0), rtol=1e-4, atol=1e-5)
  stats = updates["batch_stats"]
  np.testing.assert_allclose(stats["var"], 0.5 + s2 / 2, rtol=1e-5)
  np.testing.assert_allclose(stats["mean"], x.mean(0) / 2, rtol=1e-5)


@pytest.mark.parametrize(
  "norm", [linen.Whitening(momentum=0.5), linen.IterNorm(momentum=0.5, steps=9)]
)
def test_whitened_features_do_not_correlate(norm):
  x = X @ np.float32(RNG.normal(size=(5, 5)))
  variables = norm.init(KEY, x, True)
  y, updates = _train(norm, variables, x)
  cov = np.cov(np.float64(y).T, bias=True)
  exact = isinstance(norm, linen.Whitening) and norm == linen.Whitening(0.5)
  np.testing.assert_allclose(cov, np.eye(5), atol=1e-3 if exact else 0.05)
  expected = 0.5 * np.eye(5) + 0.5 * np.cov(np.float64(x).T, bias=True)
  stats = updates["batch_stats"]
  np.testing.assert_allclose(stats["cov"][0], expected, rtol=1e-4, atol=1e-5)


def test_whitening_groups_are_the_largest_that_divide():
  for size, shape in ((None, (1, 6, 6)), (16, (1, 6, 6)), (5, (2, 3, 3))):
    variables = linen.Whitening(group_size=size).init(KEY, IMAGES, True)
    assert variables["batch_stats"]["cov"].shape == shape
  with pytest.raises(ValueError, match="group_size=0 must be at least 1"):
    linen.IterNorm(group_size=0).init(KEY, IMAGES, True)


def test_evonorm_b0_by_its_formula():
  norm = linen.EvoNormB0(momentum=0.0)
  variables = _random(norm, IMAGES)
  y, updates = _train(norm, variables, IMAGES)
  x, p = np.float64(IMAGES), jax.tree.map(np.float64, variables["params"])
  batch = np.sqrt(x.var((0, 1, 2)) + 1e-5)
  space = np.sqrt(x.var((1, 2), keepdims=True) + 1e-5)
  below = np.maximum(batch, p["v"] * x + space)
  expected = x / below * p["scale"] + p["bias"]
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
  stats = updates["batch_stats"]
  np.testing.assert_allclose(stats["var"], x.var((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("how", [{"num_groups": 3}, {"group_size": 2}, {}])
def test_evonorm_s0_by_its_formula(how):
  norm = linen.EvoNormS0(**how)
  variables = _random(norm, IMAGES)
  x, p = np.float64(IMAGES), jax.tree.map(np.float64, variables["params"])
  groups = x.reshape(4, 3, 3, 3, 2)
  std = np.sqrt(groups.var((1, 2, 4), keepdims=True) + 1e-5)
  std = np.broadcast_to(std, groups.shape).reshape(x.shape)
  swish = x / (1 + np.exp(-p["v"] * x))
  expected = swish / std * p["scale"] + p["bias"]
  y = norm.apply(variables, IMAGES)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("learn", [None, True])
def test_filter_response_norm_by_its_formula(learn):
  norm = linen.FilterResponseNorm(learn_epsilon=learn)
  variables = _random(norm, IMAGES)
  x, p = np.float64(IMAGES), jax.tree.map(np.float64, variables["params"])
  epsilon = 1e-6 + np.abs(p.get("learned_epsilon", 0.0))
  assert ("learned_epsilon" in p) is (learn is True)
  square = (x**2).mean((1, 2), keepdims=True)
  expected = x / np.sqrt(square + epsilon) * p["scale"] + p["bias"]
  expected = np.maximum(expected, p["threshold"])
  y = norm.apply(variables, IMAGES)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)


def test_filter_response_norm_learns_epsilon_where_there_is_no_space():
  norm = linen.FilterResponseNorm(use_threshold=False)
  flat = norm.init(KEY, X)["params"]
  assert flat["learned_epsilon"] == np.float32(1e-4)
  assert flat.keys() == {"scale", "bias", "learned_epsilon"}
  y = norm.apply({"params": flat}, X)
  np.testing.assert_allclose(y, X / np.sqrt(X**2 + 1.01e-4), rtol=1e-5)


class Net(nn.Module):
  norm: object

  @nn.compact
  def __call__(self, x, train=False):
    x = nn.Dense(4)(x)
    return nn.relu(self.norm(use_running_average=not train)(x))


@pytest.mark.parametrize(
  "norm",
  [
    linen.BatchRenorm,
    linen.L1BatchNorm,
    partial(linen.GhostBatchNorm, group_size=3),
  ],
)
def test_tools_know_what_infers_like_batch_norm(norm):
  model = Net(norm)
  variables = model.init(KEY, X)
  after = recalibrate(model, variables, [X, X])
  (stats,) = after["batch_stats"].values()
  hidden = nn.Dense(4).apply({"params": variables["params"]["Dense_0"]}, X)
  h = np.float64(hidden)
  var = h.var(0)
  if norm is linen.L1BatchNorm:
    var = np.pi / 2 * np.abs(h - h.mean(0)).mean(0) ** 2
  np.testing.assert_allclose(stats["mean"], h.mean(0), rtol=1e-4)
  np.testing.assert_allclose(stats["var"], var, rtol=1e-4)


@pytest.mark.parametrize("by_fan_in", [False, True])
@pytest.mark.parametrize("layer", [nn.Dense(4), nn.Conv(4, (2, 2))])
def test_weight_standardization_is_of_the_kernel_alone(layer, by_fan_in):
  x = X if isinstance(layer, nn.Dense) else IMAGES
  norm = linen.WeightStandardization(
    layer.clone(), use_scale=True, by_fan_in=by_fan_in
  )
  theirs = nn.WeightNorm(layer.clone())
  variables = norm.init(KEY, x)
  shapes = lambda v: sorted(map(jnp.shape, jax.tree.leaves(v)))
  assert shapes(variables) == shapes(theirs.init(KEY, x))
  variables = jax.tree.map(
    lambda p: p + np.float32(RNG.normal(size=p.shape)), variables
  )
  params = variables["params"]
  (gain,) = (v for k, v in params.items() if k.endswith("kernel/scale"))
  inner = params["layer_instance"]
  kernel = np.float64(inner["kernel"])
  axes = tuple(range(kernel.ndim - 1))
  w = (kernel - kernel.mean(axes)) / np.sqrt(kernel.var(axes) + 1e-5)
  w = w * np.float64(gain)
  if by_fan_in:
    w = w / np.sqrt(kernel[..., 0].size)
  expected = layer.apply({"params": {**inner, "kernel": np.float32(w)}}, x)
  y = norm.apply(variables, x)
  np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-4)
  by_kernel = jax.grad(lambda v: jnp.sum(norm.apply(v, x) ** 2))(variables)
  by_kernel = by_kernel["params"]["layer_instance"]["kernel"]
  np.testing.assert_allclose(by_kernel.sum(axes), 0, atol=1e-2)


def test_renorm_folds_as_batch_norm():
  model = nn.Sequential([nn.Dense(4), linen.BatchRenorm(True)])
  variables = model.init(KEY, X)
  folded = fold(model, variables, X)
  assert not folded.refused
  np.testing.assert_allclose(
    model.apply(folded.variables, X),
    model.apply(variables, X),
    rtol=1e-4,
    atol=1e-5,
  )
