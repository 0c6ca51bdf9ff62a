"""Inception: Figure 5's shapes and counts, blocks, variants, small images."""

import functools
import inspect
import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import bn_inception, inception, small_inception
from bnjax.lab.models.conv import Conv
from bnjax.lab.models.inception_blocks import (
  FIGURE_5,
  Block,
  Row,
  Style,
  scale_row,
)
from bnjax.lab.models.initializers import he
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import NORMS
from bnjax.tools import apply_folded, fold

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(8, 16, 16, 3)).astype(np.float32))
LABELS = jnp.asarray(RNG.integers(0, 10, 8))
# Programs that draw with this generator compile in less time.
KEYS = {
  name: jax.random.key(i, impl="rbg")
  for i, name in enumerate(("params", "dropout"))
}
TINY = {"width_factor": 1 / 32}  # a 32th of the features: 2 to 11


def _model(function, norm="batch_norm", num_classes=10, **arguments):
  return function(num_classes=num_classes, norm=NORMS[norm], **arguments)


def _small(norm="batch_norm", **arguments):
  """A network with a block of every kind, and few features."""
  fields = {"blocks": ("3a", "3c", "5b"), **TINY, **arguments}
  return _model(small_inception, norm, **fields)


def _init(model, x=X):
  return jax.jit(lambda: model.init(KEYS, x, train=False))()


def _train(model, variables, x=X, **others):
  return model.apply(
    variables, x, train=True, mutable=["batch_stats"], rngs=KEYS, **others
  )


def _shapes(model, x=X, train=True):
  """Shapes of the variables, of the logits, and of what the taps show."""

  def run():
    variables = model.init(KEYS, x, train=False)
    y, seen = model.apply(
      variables,
      x,
      train=train,
      rngs=KEYS,
      capture_intermediates=lambda module, _: isinstance(module, Tap),
      mutable=["intermediates", "batch_stats"],
    )
    return variables, y, seen["intermediates"]

  variables, y, seen = jax.eval_shape(run)
  return variables, y, {k: v["__call__"][0] for k, v in seen.items()}


def _sizes(tree):
  """Path of each leaf -> its number of values."""
  leaves = jax.tree_util.tree_leaves_with_path(tree)
  keystr = functools.partial(jax.tree_util.keystr, simple=True, separator="/")
  return {keystr(path): math.prod(leaf.shape) for path, leaf in leaves}


def _sum(sizes, *parts):
  return sum(n for path, n in sizes.items() if all(p in path for p in parts))


PAPER = jax.ShapeDtypeStruct((2, 224, 224, 3), jnp.float32)


@functools.cache
def _paper_shapes(function, **arguments):
  model = _model(function, num_classes=1000, **arguments)
  return _shapes(model, jnp.zeros(PAPER.shape))


def test_parameters_of_the_paper():
  variables, _, _ = _paper_shapes(bn_inception)
  sizes = _sizes(variables["params"])
  kernels = _sum(sizes, "conv_") + _sum(sizes, "depthwise_0")
  assert kernels == 10_143_384
  assert _sum(sizes, "depthwise_0") == 7 * 7 * 3 * 8
  assert _sum(sizes, "norm_", "scale") == 9_952
  assert _sum(sizes, "norm_", "bias") == 9_952
  assert _sum(sizes, "output") == 1_025_000
  assert sum(sizes.values()) == 11_188_288
  stats = _sizes(variables["batch_stats"])
  assert _sum(stats, "mean") == _sum(stats, "var") == 9_952
  assert sum(stats.values()) == 2 * 9_952


def test_the_control_has_biases_for_norms():
  variables, _, _ = _paper_shapes(inception, norm="none")
  assert set(variables) == {"params"}
  sizes = _sizes(variables["params"])
  assert sum(sizes.values()) == 10_143_384 + 9_952 + 1_025_000
  assert _sum(sizes, "conv_", "bias") == 9_952


@pytest.mark.parametrize(
  ("arguments", "expected"),
  [
    ({"norm": "batch_norm"}, False),
    ({"norm": "batch_norm", "placement": "after"}, True),
    ({"norm": "batch_norm", "bias": "always"}, True),
    ({"norm": "none"}, True),
    ({"norm": "none", "bias": "never"}, False),
  ],
)
def test_a_bias_where_no_norm_follows(arguments, expected):
  params = _shapes(_small(**arguments))[0]["params"]
  assert ("bias" in params["conv_0"]) is expected
  assert ("bias" in params["block_3a"]["conv_1x1"]) is expected
  assert "bias" in params["output"]


@pytest.mark.parametrize("function", [bn_inception, inception])
def test_rows_of_figure_5(function):
  norm = "batch_norm" if function is bn_inception else "none"
  _, y, seen = _paper_shapes(function, norm=norm)
  rows = [
    (112, 112, 64),  # 7x7/2
    (56, 56, 64),  # 1x1
    (56, 56, 192),  # 3x3
    (28, 28, 256),  # 3a
    (28, 28, 320),  # 3b
    (14, 14, 576),  # 3c: the paper prints the grid that it halves
    (14, 14, 576),  # 4a
    (14, 14, 576),  # 4b
    (14, 14, 576),  # 4c
    (14, 14, 576),  # 4d
    (7, 7, 1024),  # 4e: likewise
    (7, 7, 1024),  # 5a
    (7, 7, 1024),  # 5b
  ]
  passed_through = {5: 320, 10: 576}
  expected = {}
  for i, (height, width, features) in enumerate(rows):
    entered = (2, height, width, features - passed_through.get(i, 0))
    expected[f"preactivation_{i}"] = entered
    expected[f"activation_{i}"] = (2, height, width, features)
  assert {k: v.shape for k, v in seen.items()} == expected
  assert y.shape == (2, 1000)


def test_kernels_of_a_row():
  variables, _, _ = _paper_shapes(bn_inception)
  shapes = lambda block: {
    name: leaf["kernel"].shape
    for name, leaf in variables["params"][block].items()
    if name.startswith("conv")
  }
  assert shapes("block_5b") == {
    "conv_1x1": (1, 1, 1024, 352),
    "conv_3x3_reduce": (1, 1, 1024, 192),
    "conv_3x3": (3, 3, 192, 320),
    "conv_double_reduce": (1, 1, 1024, 192),
    "conv_double_0": (3, 3, 192, 224),
    "conv_double_1": (3, 3, 224, 224),
    "conv_pool": (1, 1, 1024, 128),
  }
  assert shapes("block_4e") == {
    "conv_3x3_reduce": (1, 1, 576, 128),
    "conv_3x3": (3, 3, 128, 192),
    "conv_double_reduce": (1, 1, 576, 192),
    "conv_double_0": (3, 3, 192, 256),
    "conv_double_1": (3, 3, 256, 256),
  }


def test_small_inception():
  variables, y, seen = _shapes(
    _model(small_inception), jnp.zeros((2, 32, 32, 3))
  )
  assert sum(_sizes(variables["params"]).values()) == 162_442
  assert [seen[f"activation_{i}"].shape[1:] for i in range(13)] == [
    (32, 32, 8), (16, 16, 8), (16, 16, 24), (16, 16, 32), (16, 16, 40),
    (8, 8, 72), (8, 8, 72), (8, 8, 72), (8, 8, 72), (8, 8, 72),
    (4, 4, 128), (4, 4, 128), (4, 4, 128),
  ]  # fmt: skip
  assert y.shape == (2, 10)


def test_some_of_its_blocks():
  model = _model(small_inception, blocks=("3a", "3c", "5b"))
  assert model.rows == (FIGURE_5[0], FIGURE_5[2], FIGURE_5[9])
  assert _model(small_inception).rows == FIGURE_5


def test_the_name_alone_makes_the_network():
  """Configs hold the arguments of all models side by side: none may clash."""
  shared = inspect.signature(bn_inception).parameters.values()
  for function in (inception, small_inception):
    own = inspect.signature(function).parameters
    assert all(own[p.name] == p for p in shared if p.name in own)
  control = _model(inception, "none")
  assert control.dropout_rate == 0.4
  assert control.local_response_norm


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("norm", ["batch_norm", "group_norm", "whitening"])
def test_other_norms_have_their_place(norm, placement):
  model = _small(norm, placement=placement, activation="sigmoid")
  _, y, seen = _shapes(model)
  assert y.shape == (8, 10)
  assert set(seen) == {
    f"{kind}_{i}" for kind in ("preactivation", "activation") for i in range(6)
  }


def _randomized(variables):
  """Variables with every value its own, as after training."""
  leaves, tree = jax.tree_util.tree_flatten_with_path(variables)
  values = []
  for path, leaf in leaves:
    value = np.asarray(leaf) + 0.3 * RNG.normal(size=leaf.shape)
    if path[-1].key == "var":
      value = RNG.uniform(0.5, 2.0, size=leaf.shape)
    if path[-1].key == "kernel":
      value = leaf
    values.append(jnp.asarray(value, leaf.dtype))
  return jax.tree.unflatten(tree, values)


def _reference(x, variables, row, after):
  """A block as its row reads, by the convolutions and pools of JAX and Flax."""
  params = variables["params"]

  def norm(z, name):
    mean, var = (
      f(z, axis=(0, 1, 2), keepdims=True) for f in (jnp.mean, jnp.var)
    )
    scale, bias = (
      params[f"norm_{name}"][k][None, None, None] for k in ("scale", "bias")
    )
    return (z - mean) / jnp.sqrt(var + 1e-5) * scale + bias

  def layer(x, name, stride=1):
    z = jax.lax.conv_general_dilated(
      x,
      params[f"conv_{name}"]["kernel"],
      (stride, stride),
      "SAME",
      dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )
    return norm(nn.relu(z), name) if after else nn.relu(norm(z, name))

  s = row.stride
  pool = nn.max_pool
  if row.pool == "average":
    pool = functools.partial(nn.avg_pool, count_include_pad=False)
  pooled = pool(x, (3, 3), (s, s), "SAME")
  double = layer(layer(x, "double_reduce"), "double_0")
  parts = [layer(x, "1x1")] if row.one else []
  parts.append(layer(layer(x, "3x3_reduce"), "3x3", s))
  parts.append(layer(double, "double_1", s))
  parts.append(layer(pooled, "pool") if row.projection else pooled)
  return jnp.concatenate(parts, axis=-1)


@pytest.mark.parametrize(
  ("row", "after"),
  [
    (Row("3a", 4, 3, 5, 2, 6, "average", 3), False),
    (Row("5b", 4, 3, 5, 2, 6, "max", 3), True),
    (Row("3c", 0, 3, 5, 2, 6, "max", 0, 2), False),
    (Row("3c", 0, 3, 5, 2, 6, "max", 0, 2), True),
  ],
)
def test_a_block_is_its_branches_side_by_side(row, after):
  style = Style(
    NORMS["batch_norm"], nn.relu, he(), "after" if after else "before"
  )
  block = Block(row, style)
  x = jnp.asarray(RNG.normal(size=(4, 6, 6, 7)).astype(np.float32))
  init = jax.jit(lambda: block.init(KEYS, x, train=False, mask=None))
  variables = _randomized(init())

  @jax.jit
  def run(v):
    y, _ = block.apply(v, x, train=True, mask=None, mutable=["batch_stats"])
    return y, _reference(x, v, row, after)

  np.testing.assert_allclose(*run(variables), rtol=1e-3, atol=1e-4)


def test_per_activation_norm_is_that_of_a_dense_layer():
  variables, _, _ = _shapes(
    _small(per_activation_blocks=1, width_factor=1 / 64)
  )
  sizes = lambda block: variables["params"][block]["norm_1x1"]["scale"].shape
  assert sizes("block_5b") == (4 * 4 * 6,)  # 16 / 4 rows, 352 / 64 features
  assert sizes("block_3a") == (1,)
  style = _small().style
  x = X[..., :2]

  class Both(nn.Module):
    @nn.compact
    def __call__(self, x, mask):
      call = {"train": True, "mask": mask}
      y = style.finish({"norm": x}, per_activation=True, **call)
      z = style.finish({"flat": x.reshape(8, 1, 1, -1)}, **call)
      return y, z

  mask = jnp.arange(8) < 6
  variables = Both().init(KEYS, x, mask)
  (y, z), _ = Both().apply(variables, x, mask, mutable=["batch_stats"])
  np.testing.assert_allclose(y.reshape(8, 1, 1, -1), z, rtol=1e-6)
  assert y.shape == x.shape


def _loss(model, variables, x=X, mask=None):
  """Mean cross-entropy over what counts, its gradient, and the updates."""

  def loss(params):
    y, updates = _train(model, {**variables, "params": params}, x, mask=mask)
    labels = jnp.resize(LABELS, len(x))
    losses = optax.softmax_cross_entropy_with_integer_labels(y, labels)
    weights = jnp.ones(len(x)) if mask is None else mask.astype(jnp.float32)
    return jnp.sum(losses * weights) / jnp.sum(weights), updates

  return jax.value_and_grad(loss, has_aux=True)(variables["params"])


def _check_gradient(gradient):
  for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
    assert leaf.dtype == jnp.float32
    assert np.isfinite(leaf).all(), path
    assert np.any(leaf), path


@pytest.mark.parametrize(
  "arguments",
  [
    {
      "blocks": ("3a",),
      "activation": "sigmoid",
      "placement": "after",
      "dtype": "bfloat16",
    },
    {
      "blocks": ("3c",),
      "norm": "none",
      "local_response_norm": True,
      "dropout_rate": 0.4,
    },
  ],
  ids=["sigmoid", "control"],
)
def test_gradients_are_finite_and_reach_everything(arguments):
  model = _small(**arguments)
  loss_and_gradient = jax.jit(functools.partial(_loss, model))
  (loss, _), gradient = loss_and_gradient(_init(model))
  assert np.isfinite(loss)
  _check_gradient(gradient)


@pytest.fixture(scope="module")
def trained():
  """A small network of one block, and variables as after training."""
  model = _small(blocks=("5b",))
  return model, _randomized(_init(model))


def test_masked_rows_do_not_count(trained):
  model, variables = trained
  step = jax.jit(functools.partial(_loss, model, variables))
  mask = jnp.arange(8) < 6
  result = step(X, mask)
  _check_gradient(result[1])
  poisoned = X.at[6:].set(1e4)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
    step(poisoned, mask),
    result,
  )
  # And those that count do so as if they were alone.
  alone, alone_updates = jax.jit(lambda: _train(model, variables, X[:6]))()
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
    alone_updates,
    result[0][1],
  )
  losses = optax.softmax_cross_entropy_with_integer_labels(alone, LABELS[:6])
  np.testing.assert_allclose(losses.mean(), result[0][0], rtol=1e-4)


def test_inference_is_of_each_image_and_changes_nothing(trained):
  model, variables = trained
  infer = jax.jit(lambda x: model.apply(variables, x, train=False))
  np.testing.assert_allclose(infer(X)[2:3], infer(X[2:3]), rtol=1e-3, atol=1e-4)
  y, updates = jax.jit(lambda: _train(model, variables))()
  assert not np.allclose(y, infer(X), atol=1e-2)
  old, new = variables["batch_stats"], updates["batch_stats"]
  assert jax.tree.structure(old) == jax.tree.structure(new)
  assert not any(
    np.array_equal(a, b)
    for a, b in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True)
  )


def test_every_norm_folds_into_its_convolution():
  model = _small()
  variables = _randomized(_init(model))
  call = lambda model, x: model(x, train=False)
  folded = fold(model, variables, X, call=call, kernels=(Conv,))
  assert not folded.refused
  assert {(pair.kernel, pair.norm) for pair in folded.folded} == {
    ((*path[:-1], path[-1].replace("norm", "conv")), path)
    for path in (
      tuple(path.split("/")[:-1]) for path in _sizes(variables["batch_stats"])
    )
  }
  y = jax.jit(lambda: model.apply(variables, X, train=False))()
  bare = jax.jit(lambda: apply_folded(model, folded, X, call=call))()
  error = np.abs(bare - y).max() / np.abs(y).max()
  assert error < 1e-5, error


def test_bfloat16_is_float32_to_its_precision(trained):
  model, variables = trained
  half = model.clone(dtype="bfloat16")
  train = lambda model: jax.jit(lambda: _train(model, variables))()
  (y, updates), (y_half, half_updates) = train(model), train(half)
  assert y_half.dtype == jnp.float32
  jax.tree.map(
    lambda a: np.testing.assert_equal(a.dtype, np.float32), half_updates
  )
  assert np.corrcoef(y.ravel(), y_half.ravel())[0, 1] > 0.99
  first = lambda u: u["batch_stats"]["norm_0"]
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-2, atol=2e-2),
    first(updates),
    first(half_updates),
  )
  _, _, seen = _shapes(half)
  assert {v.dtype for v in seen.values()} == {jnp.dtype(jnp.bfloat16)}


def test_float64_images_stay_float64():
  with jax.enable_x64(True):
    x = jax.ShapeDtypeStruct(X.shape, jnp.float64)
    model = _small(local_response_norm=True)
    _, y, seen = _shapes(model, jnp.zeros(x.shape, x.dtype))
  assert y.dtype == jnp.float64
  assert {v.dtype for v in seen.values()} == {jnp.dtype(jnp.float64)}


def test_dropout_is_before_the_classifier_in_training_only():
  model = _small("none", dropout_rate=0.4, blocks=("5b",))
  params = _init(model)["params"]
  # With a classifier that passes features on, logits show what was dropped.
  features = params["output"]["kernel"].shape[0]
  eye = {"kernel": jnp.eye(features)[:, :10], "bias": jnp.zeros(10)}
  params = {**params, "output": eye}

  @jax.jit
  def run(keys):
    still = model.apply({"params": params}, X, train=False)
    drop = lambda key: model.apply(
      {"params": params}, X, train=True, rngs={"dropout": key}
    )
    return still, jax.lax.map(drop, keys)

  still, y = run(jax.random.split(jax.random.key(0), 50))
  dropped = np.asarray(y == 0)
  expected = np.where(dropped, 0, np.asarray(still / 0.6))
  np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-5)
  alive = np.asarray(still > 0)
  assert abs(dropped[:, alive].mean() - 0.4) < 0.05


def test_arms_share_their_initial_weights():
  def kernels(model):
    variables = _init(model.clone(blocks=("3a",)))
    leaves = jax.tree_util.tree_leaves_with_path(variables["params"])
    names = ((jax.tree_util.keystr(path), leaf) for path, leaf in leaves)
    return {name: leaf for name, leaf in names if "kernel" in name}

  with_norm = kernels(_small("batch_norm"))
  without = kernels(_small("none", activation="sigmoid"))
  assert len(with_norm) == 3 + 7 + 1
  jax.tree.map(np.testing.assert_array_equal, with_norm, without)


def test_rates_and_scales_may_be_traced():
  def run(rate, scale):
    model = _small(dropout_rate=rate, init_scale=scale)
    return _train(model, model.init(KEYS, X, train=False))[0]

  shapes = jax.eval_shape(jax.vmap(run), jnp.ones(3), jnp.ones(3))
  assert shapes.shape == (3, 8, 10)


def test_scaled_rows():
  assert scale_row(FIGURE_5[0], 1.0) == FIGURE_5[0]
  assert scale_row(FIGURE_5[2], 0.25) == Row(
    "3c", 0, 32, 40, 16, 24, "max", 0, 2
  )
  assert scale_row(FIGURE_5[0], 1e-6)[1:6] == (1, 1, 1, 1, 1)


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"init": "heh"}, r"model\.init: 'heh'.*'he'"),
    ({"activation": "rely"}, r"model\.activation: 'rely'.*'relu'"),
    ({"placement": "inside"}, r"model\.placement: 'inside'.*after, before"),
    ({"bias": "yes"}, r"model\.bias: 'yes'.*always, auto, never"),
    ({"dtype": "float16"}, r"model\.dtype: 'float16'.*bfloat16, float32"),
    ({"dropout_rate": 1.0}, r"model\.dropout_rate: 1\.0 is too large"),
    ({"width_factor": 0.0}, r"model\.width_factor: 0\.0 is too small"),
    ({"per_activation_blocks": -1}, r"per_activation_blocks: -1 is too small"),
    ({"per_activation_blocks": 11}, "11 is too large; at most 10"),
    ({"blocks": ("3a", "6a")}, r"model\.blocks: '6a' is not known; .*3a, 3b"),
    (
      {"blocks": ("5b", "3a")},
      r"model\.blocks: 5b, 3a is not .* Figure 5, each once: 3a, 5b",
    ),
    ({"x": X[:, 0]}, r"takes images .* are of shape \(16, 3\)"),
  ],
)
def test_what_is_wrong_is_named(arguments, message):
  x = arguments.pop("x", X)
  with pytest.raises(UserError, match=message):
    _shapes(_small(**arguments), x)


@pytest.mark.parametrize(
  ("function", "side", "message"),
  [
    (
      bn_inception,
      31,
      "31x40 are .* 32x32 one .* model.name='small_inception'",
    ),
    (small_inception, 7, "7x40 are too small, .* 8x8 one place; take larger"),
  ],
)
def test_images_may_be_too_small(function, side, message):
  model = _model(function)
  with pytest.raises(UserError, match=message):
    _shapes(model, jnp.zeros((1, side, 40, 3)))
  enough = jnp.zeros((1, side + 1, 40, 3))
  y, _ = jax.eval_shape(
    lambda: model.init_with_output(KEYS, enough, train=False)
  )
  assert y.shape == (1, 10)
