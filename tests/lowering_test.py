"""What only a CPU can do is found here: all of it lowers for GPU and TPU.

Nothing is compiled, which takes the other machine.
"""

import inspect
from functools import partial

import flax.linen
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax import export
from jax.sharding import AxisType, PartitionSpec

import bnjax
import bnjax.nnx
from bnjax import linen, ops

KEY = jax.random.key(0)
X = np.random.default_rng(0).normal(1, 2, (8, 2, 3, 4)).astype(np.float32)
MASK = np.arange(8)[:, None, None, None] < 5
ROW = np.linspace(0.5, 2, 4, dtype=np.float32)
COV = np.eye(4, dtype=np.float32) + 0.1
RULE = ops.ema(0.9)


def lowers(function, *arguments):
  """Exports it, with the gradient of all that it returns."""

  def loss(*own):
    found = function(*own)
    sines = [jnp.sin(leaf.astype(float)) for leaf in jax.tree.leaves(found)]
    return sum(map(jnp.sum, sines)), found

  both = jax.grad(loss, tuple(range(len(arguments))), has_aux=True)
  shape = lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype)
  shapes = jax.tree.map(shape, arguments)
  exported = export.export(jax.jit(both), platforms=["cuda", "tpu"])(*shapes)
  assert exported.platforms == ("cuda", "tpu")
  return exported


def affine(function, **settings):
  """The function of x, scale and bias, with a mask and without."""

  def call(x, scale, bias):
    whole = function(x, scale, bias, **settings)
    return whole, function(x, scale, bias, mask=MASK, **settings)

  return call, X, ROW, ROW


def scaled(function, **settings):
  return lambda x, row: function(x, row, mask=MASK, **settings), X, ROW


def running(function, *before, **settings):
  return affine(
    lambda x, scale, bias, **own: function(
      x, scale, bias, ops.init_running(4), rule=RULE, **settings, **own
    )
  )


def moments(x):
  return ops.batch_moments(x, mask=MASK)


FUNCTIONS = {
  "apply_batch_norm": running(ops.apply_batch_norm),
  "apply_whitening": (ops.apply_whitening, X, ROW, COV[None], ROW, ROW),
  "batch_covariance": (lambda x: ops.batch_covariance(x, mask=MASK), X),
  "batch_moments": (
    lambda x, w: (moments(x), ops.batch_moments(x, weights=w)),
    X,
    X[..., :1] ** 2,
  ),
  "batch_norm": affine(ops.batch_norm, activation="relu"),
  "batch_renorm": running(ops.batch_renorm),
  "cumulative": (
    lambda x: ops.update_running(
      ops.init_running(4), moments(x), ops.cumulative()
    ),
    X,
  ),
  "debiased_ema": (
    lambda x, decay: ops.update_running(
      ops.init_running(4), moments(x), ops.debiased_ema(decay)
    ),
    X,
    np.float32(0.9),
  ),
  "ema": (
    lambda x, decay: ops.update_running(
      ops.init_running(4), moments(x), ops.ema(decay, unbiased=True)
    ),
    X,
    np.float32(0.9),
  ),
  "empty_moments": (
    lambda x: ops.merge_moments(ops.empty_moments(4), moments(x)), X
  ),
  "evonorm_b0": (
    lambda x, v, s, b: ops.evonorm_b0(x, v, s, b, mask=MASK), X, ROW, ROW, ROW,
  ),
  "evonorm_s0": (
    lambda x, v, s, b: ops.evonorm_s0(x, v, s, b, groups=2, mask=MASK),
    X, ROW, ROW, ROW,
  ),
  "filter_response_norm": (
    lambda x, s, b, t: ops.filter_response_norm(x, s, b, t, mask=MASK),
    X, ROW, ROW, ROW,
  ),
  "fold_conv": (ops.fold_conv, X, *[ROW] * 5),
  "fold_dense": (ops.fold_dense, COV, *[ROW] * 5),
  "ghost_batch_norm": affine(ops.ghost_batch_norm, groups=2),
  "group_norm": affine(ops.group_norm, groups=2),
  "init_covariance": (
    lambda x: ops.update_covariance(
      ops.init_covariance(4), ops.batch_covariance(x), 0.9
    ),
    X,
  ),
  "init_running": (
    lambda x: ops.update_running(ops.init_running(4), moments(x), RULE), X
  ),
  "instance_norm": affine(ops.instance_norm),
  "iter_norm": affine(ops.iter_norm, groups=2),
  "l1_batch_norm": affine(ops.l1_batch_norm),
  "layer_norm": affine(ops.layer_norm),
  "lp_batch_norm": affine(ops.lp_batch_norm, p=jnp.inf),
  "merge_batch_stats": (
    lambda a, b: ops.merge_batch_stats(
      [{"mean": a, "var": b}, {"mean": b, "var": a}], [3, 5]
    ),
    ROW, ROW,
  ),
  "merge_ghosts": (
    lambda x: ops.merge_ghosts(ops.ghost_batch_norm(x, groups=2)[1]), X
  ),
  "merge_moments": (lambda x: ops.merge_moments(moments(x), moments(x)), X),
  "newton_matrix": (ops.newton_matrix, COV),
  "noisy_batch_norm": affine(ops.noisy_batch_norm, key=KEY),
  "normalize": (ops.normalize, X, ROW, ROW, ROW, ROW),
  "population_moments": (
    lambda x: ops.population_moments(moments, [x, x], estimator="paper"), X
  ),
  "population_moments_stacked": (
    lambda x: ops.population_moments_stacked(moments, jnp.stack([x, x])), X
  ),
  "renorm_schedule": (
    lambda x: (x, ops.renorm_schedule(x.astype(int).sum())), ROW
  ),
  "rms_norm": scaled(ops.rms_norm),
  "standardize_kernel": (ops.standardize_kernel, X, ROW),
  "update_covariance": (
    lambda x, y: ops.update_covariance(
      ops.batch_covariance(x), ops.batch_covariance(y), 0.9
    ),
    X, X,
  ),
  "update_running": (
    lambda x: ops.update_running(
      ops.init_running(4), moments(x), RULE, skip_nonfinite=True
    ),
    X,
  ),
  "whiten": affine(ops.whiten, groups=2),
  "zca_matrix": (ops.zca_matrix, COV),
}  # fmt: skip


def test_every_function_is_here():
  there = {n for n, f in vars(ops).items() if inspect.isfunction(f)}
  assert FUNCTIONS.keys() == there


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name):
  lowers(*FUNCTIONS[name])


# Fields without which a module does not fit `X`.
FIELDS = {
  "GhostBatchNorm": {"groups": 2},
  "GroupNorm": {"num_groups": 2},
  "IterNorm": {"group_size": 2},
}


@pytest.mark.parametrize("name", linen.__all__)
def test_linen_modules(name):
  if name == "WeightStandardization":
    norm = linen.WeightStandardization(flax.linen.Conv(4, (1, 1)))
    lowers(norm.apply, jax.eval_shape(norm.init, KEY, X), X)
    return
  norm = getattr(linen, name)(**FIELDS.get(name, {}))
  infer = partial(norm.apply, use_running_average=True)
  train = partial(
    norm.apply,
    use_running_average=False,
    mask=MASK,
    mutable=["batch_stats"],
    rngs={"noise": KEY},
  )
  init = partial(norm.init, use_running_average=True)
  lowers(
    lambda variables, x: (train(variables, x), infer(variables, x)),
    jax.eval_shape(init, KEY, X),
    X,
  )


@pytest.mark.parametrize("name", bnjax.nnx.__all__)
def test_nnx_modules(name):
  norm = getattr(bnjax.nnx, name)(4, rngs=nnx.Rngs(0), **FIELDS.get(name, {}))
  graph, state = nnx.split(norm)

  def apply(state, x):
    module = nnx.merge(graph, state)
    y = module(x, use_running_average=False, mask=MASK)
    return y, module(x, use_running_average=True), nnx.state(module)

  lowers(apply, nnx.to_pure_dict(state), X)


def test_statistics_over_devices():
  mesh = jax.make_mesh((8,), ("i",), axis_types=(AxisType.Auto,))
  rows = PartitionSpec("i")
  norm = jax.shard_map(
    lambda x: ops.batch_norm(x, axis_name="i")[0],
    mesh=mesh,
    in_specs=rows,
    out_specs=rows,
  )
  assert lowers(norm, X).nr_devices == 8
