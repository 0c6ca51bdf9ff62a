import inspect
from functools import partial

import flax
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.sharding import AxisType, PartitionSpec

from bnjax.linen import BatchNorm
from bnjax.ops import cumulative, debiased_ema, ema

X = np.random.default_rng(0).normal(3, 2, (6, 4, 4, 3)).astype(np.float32)


def _init(norm, x=X, **arguments):
  arguments.setdefault("use_running_average", False)
  return norm.init(jax.random.key(1), x, **arguments)


def _train(norm, variables, x=X, **arguments):
  """Returns the output and the new batch_stats of a training call."""
  if norm.use_running_average is None:
    arguments.setdefault("use_running_average", False)
  y, updates = norm.apply(variables, x, mutable=["batch_stats"], **arguments)
  return y, updates["batch_stats"]


def _close(a, b, tolerance=1e-5):
  assert jax.tree.structure(a) == jax.tree.structure(b)
  for p, q in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    assert p.dtype == q.dtype
    np.testing.assert_allclose(
      np.float32(p), np.float32(q), rtol=tolerance, atol=tolerance
    )


def _shard(f, devices, in_specs, out_specs):
  mesh = jax.make_mesh(
    (devices,),
    ("d",),
    axis_types=(AxisType.Auto,),
    devices=jax.devices()[:devices],
  )
  return jax.jit(
    jax.shard_map(f, mesh=mesh, in_specs=in_specs, out_specs=out_specs)
  )


# Flax's arguments, variables, dtypes and numbers.


def test_takes_flax_arguments_in_flax_order():
  def parameters(f):
    return [
      (p.name, p.kind, p.default)
      for p in inspect.signature(f).parameters.values()
      if p.name not in ("parent", "name")
    ]

  ours, theirs = parameters(BatchNorm), parameters(nn.BatchNorm)
  assert len(theirs) == 14  # One more would need a meaning here.
  assert ours[: len(theirs)] == theirs
  assert all(
    p[1] is inspect.Parameter.KEYWORD_ONLY for p in ours[len(theirs) :]
  )
  ours = parameters(BatchNorm.__call__)
  theirs = parameters(nn.BatchNorm.__call__)
  assert ours[: len(theirs)] == theirs
  assert isinstance(BatchNorm(), nn.BatchNorm)


CASES = {
  "defaults": ({}, X),
  "axis_1": ({"axis": 1}, X),
  "axes_unsorted": ({"axis": (-1, 1)}, X),
  "no_scale": ({"use_scale": False}, X),
  "no_bias": ({"use_bias": False}, X),
  "bf16_input": ({}, jnp.asarray(X, jnp.bfloat16)),
  "bf16_everything": (
    {"param_dtype": jnp.bfloat16, "force_float32_reductions": False},
    jnp.asarray(X, jnp.bfloat16),
  ),
  "bf16_parameters": (
    {"param_dtype": jnp.bfloat16},
    jnp.asarray(X, jnp.bfloat16),
  ),
  "bf16_result": ({"dtype": jnp.bfloat16}, X),
  "f16_to_f32": ({"dtype": jnp.float32}, jnp.asarray(X, jnp.float16)),
  "integers": ({"momentum": 0.5}, jnp.arange(48).reshape(16, 3)),
  "epsilon": ({"epsilon": 0.5, "scale_init": nn.initializers.normal()}, X),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_flax(name):
  arguments, x = CASES[name]
  arguments = {"momentum": 0.9, **arguments, "use_fast_variance": False}
  ours, theirs = BatchNorm(**arguments), nn.BatchNorm(**arguments)
  variables = _init(theirs, x)
  _close(_init(ours, x), variables, 0)
  half = jnp.bfloat16 in (x.dtype, arguments.get("dtype"))
  tolerance = 2e-2 if half else 1e-5
  y, stats = _train(ours, variables, x)
  expected, expected_stats = _train(theirs, variables, x)
  _close(y, expected, tolerance)
  # Only what is kept in bfloat16 is rounded to it.
  _close(stats, expected_stats, 2e-2 if name == "bf16_everything" else 1e-5)
  trained = {**variables, "batch_stats": stats}
  _close(
    ours.apply(trained, x, use_running_average=True),
    theirs.apply(trained, x, use_running_average=True),
    tolerance,
  )


@pytest.mark.parametrize(
  ("ours", "call"),
  [
    ({}, {}),
    ({"use_running_average": True}, {"use_running_average": True}),
  ],
)
def test_use_running_average_once_as_in_flax(ours, call):
  for cls in (BatchNorm, nn.BatchNorm):
    with pytest.raises(ValueError, match='"use_running_average"'):
      cls(**ours).init(jax.random.key(0), X, **call)


def test_forgotten_mutable_is_flax_error():
  for cls in (BatchNorm, nn.BatchNorm):
    variables = _init(cls())
    with pytest.raises(flax.errors.ModifyScopeVariableError, match="mean"):
      cls().apply(variables, X, use_running_average=False)


@pytest.mark.parametrize("forward", [True, False])
def test_checkpoint_loads_either_way(forward):
  source, target = (nn.BatchNorm, BatchNorm)[:: 1 if forward else -1]
  source, target = source(momentum=0.5), target(momentum=0.5)
  variables = _init(source)
  variables["batch_stats"] = _train(source, variables)[1]
  variables["params"]["scale"] = jnp.array([1.0, 2.0, 3.0])
  loaded = flax.serialization.from_bytes(
    _init(target), flax.serialization.to_bytes(variables)
  )
  assert jax.tree.structure(loaded) == jax.tree.structure(variables)
  np.testing.assert_allclose(
    target.apply(loaded, X, use_running_average=True),
    source.apply(variables, X, use_running_average=True),
    rtol=1e-6,
    atol=1e-6,
  )


class Block(nn.Module):
  """A residual block with its norm as an argument."""

  filters: int
  conv: object
  norm: object
  strides: int = 1

  @nn.compact
  def __call__(self, x):
    y = self.conv(self.filters, (3, 3), self.strides)(x)
    y = nn.relu(self.norm()(y))
    y = self.conv(self.filters, (3, 3))(y)
    y = self.norm(scale_init=nn.initializers.constant(0.5))(y)
    if x.shape != y.shape:
      x = self.conv(self.filters, (1, 1), self.strides, name="shortcut")(x)
      x = self.norm(name="shortcut_norm")(x)
    return nn.relu(x + y)


class ResNet(nn.Module):
  """As in Flax's imagenet example: the norm is injected as a class."""

  norm_cls: object

  @nn.compact
  def __call__(self, x, train):
    conv = partial(nn.Conv, use_bias=False)
    norm = partial(
      self.norm_cls,
      use_running_average=not train,
      momentum=0.9,
      epsilon=1e-5,
      use_fast_variance=False,
    )
    x = conv(8, (3, 3), name="stem")(x)
    x = nn.relu(norm(name="stem_norm")(x))
    x = Block(12, conv, norm, strides=2)(x)
    return nn.Dense(10)(x.mean((1, 2)))


def test_resnet_by_replacing_the_class():
  rng = np.random.default_rng(0)
  x = rng.normal(size=(8, 8, 8, 3)).astype(np.float32)
  shapes = jax.eval_shape(
    lambda: ResNet(nn.BatchNorm).init(jax.random.key(0), x, False)
  )
  assert shapes == jax.eval_shape(
    lambda: ResNet(BatchNorm).init(jax.random.key(0), x, False)
  )
  # Drawn here: compiling the initializers takes longer than all the rest.
  variables = jax.tree.map(
    lambda s: rng.uniform(0.1, 1, s.shape).astype(s.dtype), shapes
  )
  for kernel in (v for v in jax.tree.leaves(variables) if v.ndim > 1):
    kernel -= 0.55

  @partial(jax.jit, static_argnums=0)
  def step(cls, variables):
    def loss(params):
      y, updates = ResNet(cls).apply(
        {**variables, "params": params}, x, True, mutable=["batch_stats"]
      )
      return jnp.square(y).sum(), (y, updates)

    (_, (y, updates)), grads = jax.value_and_grad(loss, has_aux=True)(
      variables["params"]
    )
    inference = ResNet(cls).apply({**variables, **updates}, x, False)
    return y, updates, grads, inference

  ours, theirs = (step(cls, variables) for cls in (BatchNorm, nn.BatchNorm))
  _close(ours[:2], theirs[:2])
  _close(ours[3], theirs[3])
  scale = max(abs(g).max() for g in jax.tree.leaves(theirs[2]))
  for a, b in zip(
    jax.tree.leaves(ours[2]), jax.tree.leaves(theirs[2]), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5 * scale)


# Transformations.


def test_remat_updates_once():
  norm = nn.remat(BatchNorm)(momentum=0.5, use_running_average=False)
  variables = norm.init(jax.random.key(0), X)

  def loss(params):
    y, updates = norm.apply(
      {**variables, "params": params}, X, mutable=["batch_stats"]
    )
    return jnp.square(y).sum(), updates

  updates = jax.grad(loss, has_aux=True)(variables["params"])[1]
  np.testing.assert_allclose(
    updates["batch_stats"]["mean"], 0.5 * X.mean((0, 1, 2)), rtol=1e-5
  )


def test_scan_carries_the_statistics():
  class Cell(nn.Module):
    @nn.compact
    def __call__(self, carry, x):
      return carry, BatchNorm(momentum=0.5, use_running_average=False)(x)

  scan = nn.scan(
    Cell,
    variable_broadcast="params",
    variable_carry="batch_stats",
    split_rngs={"params": False},
  )
  xs = np.stack([X[:3], X[3:]])
  # Flax's scan cannot make what it carries: init(key) of the cell does.
  variables = Cell().init(jax.random.key(0), 0, xs[0])
  _, updates = scan().apply(variables, 0, xs, mutable=["batch_stats"])
  mean = updates["batch_stats"]["BatchNorm_0"]["mean"]
  first, second = xs.mean((1, 2, 3))
  np.testing.assert_allclose(mean, 0.25 * first + 0.5 * second, rtol=1e-5)


def test_vmap_over_examples_is_the_batch():
  norm = nn.vmap(
    BatchNorm,
    variable_axes={"params": None, "batch_stats": None},
    split_rngs={"params": False},
    axis_name="batch",
  )(momentum=0.5, use_running_average=False, axis_name="batch")
  variables = norm.init(jax.random.key(0), X)
  y, stats = _train(norm, variables)
  expected = _train(BatchNorm(momentum=0.5), variables)
  _close((y, stats), expected)


def test_shared_module_updates_twice():
  class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
      norm = BatchNorm(momentum=0.5, use_running_average=False)
      return norm(x[:3]), norm(x[3:])

  variables = Twice().init(jax.random.key(0), X)
  _, updates = Twice().apply(variables, X, mutable=["batch_stats"])
  a, b = (x.mean((0, 1, 2)) for x in (X[:3], X[3:]))
  np.testing.assert_allclose(
    updates["batch_stats"]["BatchNorm_0"]["mean"],
    0.25 * a + 0.5 * b,
    rtol=1e-5,
  )


def test_vmap_over_models_and_decays():
  def train(key, decay):
    norm = BatchNorm(momentum=decay, use_running_average=False)
    variables = norm.init(key, X)
    return _train(norm, variables)[1]["mean"]

  decays = jnp.array([0.0, 0.5, 1.0])
  means = jax.vmap(train)(jax.random.split(jax.random.key(0), 3), decays)
  np.testing.assert_allclose(
    means, (1 - np.outer(decays, 1)) * X.mean((0, 1, 2)), rtol=1e-5
  )


# Named axes.


def test_init_needs_no_axis_but_apply_does():
  norm = BatchNorm(use_running_average=False, axis_name="d")
  variables = norm.init(jax.random.key(0), X)
  with pytest.raises(NameError, match="unbound axis name: d"):
    _train(norm, variables)


@pytest.mark.parametrize("axis_name", ["d", ("d",), ("e", "d")])
def test_missing_axis_ignored(axis_name):
  norm = BatchNorm(
    momentum=0.5,
    use_running_average=False,
    axis_name=axis_name,
    missing_axis="ignore",
  )
  variables = norm.init(jax.random.key(0), X)
  expected = _train(BatchNorm(momentum=0.5), variables)
  _close(jax.jit(partial(_train, norm))(variables), expected)
  if axis_name == ("d",):
    return
  spec = PartitionSpec("d")
  sharded = _shard(
    partial(_train, norm, variables), 2, spec, (spec, PartitionSpec())
  )
  _close(sharded(X), expected)


def test_missing_axis_is_error_or_ignore():
  norm = BatchNorm(axis_name="d", missing_axis="skip")
  with pytest.raises(ValueError, match="'error' or 'ignore'"):
    _train(norm, _init(norm))


def test_axis_index_groups_under_shard_map():
  norm = BatchNorm(
    momentum=0.5, axis_name="d", axis_index_groups=[[0, 1], [2, 3]]
  )
  x = np.concatenate([X, X[:2] * 3])
  variables = _init(norm, x)
  spec = PartitionSpec("d")
  y = _shard(lambda x: _train(norm, variables, x)[0], 4, spec, spec)(x)
  plain = BatchNorm(momentum=0.5)
  expected = [_train(plain, variables, part)[0] for part in (x[:4], x[4:])]
  _close(y, jnp.concatenate(expected))


# Masks.


def test_unequal_shards_are_weighted_by_count():
  norm = BatchNorm(momentum=0.0, axis_name="d")
  x = X.reshape(-1, 3)[:12]
  mask = np.arange(12) < 5  # Shards with 4, 1 and 0 values.
  variables = _init(norm, x)
  spec = PartitionSpec("d")
  _, stats = _shard(
    lambda x, mask: _train(norm, variables, x, mask=mask[:, None]),
    3,
    (spec, spec),
    (spec, PartitionSpec()),
  )(np.where(mask[:, None], x, np.nan), mask)
  np.testing.assert_allclose(stats["mean"], x[:5].mean(0), rtol=1e-5)
  np.testing.assert_allclose(stats["var"], x[:5].var(0), rtol=1e-5)


def test_nothing_counts():
  norm = BatchNorm(momentum=0.5)
  variables = _init(norm)
  variables["batch_stats"]["mean"] = jnp.array([1.0, -2.0, 0.1])
  mask = jnp.zeros((6, 1, 1, 1), bool)

  def loss(x):
    y, stats = _train(norm, variables, x, mask=mask)
    return y.sum(), (y, stats)

  gradient, (y, stats) = jax.grad(loss, has_aux=True)(X)
  np.testing.assert_array_equal(y, np.zeros_like(X))
  np.testing.assert_array_equal(gradient, np.zeros_like(X))
  _close(stats, variables["batch_stats"], 0)


@pytest.mark.parametrize("groups", [None, 2])
def test_weights_repeat_rows(groups):
  times = np.array([1, 0, 2, 1, 2, 0])
  norm = BatchNorm(momentum=0.0, groups=groups)
  variables = _init(norm)
  weights = np.float32(times).reshape(6, 1, 1, 1)
  y, stats = _train(norm, variables, weights=weights)
  rows = np.repeat(np.arange(6), times)
  expected, whole = _train(norm, variables, X[rows])
  _close(y[rows], expected)
  _close(stats, whole)


def test_mask_of_floats_is_refused():
  mask = np.full((6, 1, 1, 1), 1e-4, np.float32)
  with pytest.raises(TypeError, match="use weights="):
    _train(BatchNorm(), _init(BatchNorm()), mask=mask)


def test_mask_of_integers_as_in_flax():
  mask = np.array([1, 0, 2, 1, 0, 1]).reshape(6, 1, 1, 1)
  variables = _init(BatchNorm(), mask=mask)
  _, stats = _train(BatchNorm(momentum=0.5), variables, mask=mask)
  counted = X[mask[:, 0, 0, 0] != 0]
  np.testing.assert_allclose(
    stats["mean"], 0.5 * counted.mean((0, 1, 2)), rtol=1e-5
  )


def test_one_value_is_an_error_but_not_in_init():
  variables = _init(BatchNorm(), X[:1, 0, 0])
  with pytest.raises(ValueError, match="one number per feature"):
    _train(BatchNorm(), variables, X[:1, 0, 0])
  y = BatchNorm().apply(variables, X[:1, 0, 0], use_running_average=True)
  np.testing.assert_allclose(y, X[:1, 0, 0], rtol=1e-5)


# Three switches.


@pytest.mark.parametrize("in_call", [True, False])
@pytest.mark.parametrize(
  ("use_running_average", "normalize_with", "update", "batch", "updates"),
  [
    (False, None, None, True, True),  # Training.
    (True, None, None, False, False),  # Inference.
    (False, None, False, True, False),  # A second forward pass, a probe.
    (False, "running", None, False, False),  # Frozen.
    (True, "batch", None, True, False),  # Statistics of the test batch.
    (None, "batch", None, True, True),
    (None, "running", None, False, False),
    (None, "running", True, False, True),  # Statistics of a new domain.
    (True, None, True, False, True),
  ],
)
def test_switches(
  use_running_average, normalize_with, update, batch, updates, in_call
):
  extra = {"normalize_with": normalize_with, "update_running": update}
  norm = BatchNorm(momentum=0.5, **({} if in_call else extra))
  call = {"use_running_average": use_running_average}
  call |= extra if in_call else {}
  variables = norm.init(jax.random.key(0), X, **call)
  mutable = ["batch_stats"] if updates else []
  y, state = norm.apply(variables, X, mutable=mutable, **call)
  mean, var = (X.mean((0, 1, 2)), X.var((0, 1, 2))) if batch else (0, 1)
  np.testing.assert_allclose(y, (X - mean) / np.sqrt(var + 1e-5), atol=2e-5)
  if updates:
    np.testing.assert_allclose(
      state["batch_stats"]["mean"], 0.5 * X.mean((0, 1, 2)), rtol=1e-5
    )


def test_normalize_with_is_batch_or_running():
  with pytest.raises(ValueError, match="'batch' or 'running', got 'ema'"):
    _init(BatchNorm(normalize_with="ema"))


def test_train_affine():
  def gradients(train_affine):
    norm = BatchNorm(train_affine=train_affine)
    variables = _init(norm)

    def loss(params, x):
      return (_train(norm, {**variables, "params": params}, x)[0] ** 3).sum()

    return jax.grad(loss, (0, 1))(variables["params"], X)

  (params, x), (frozen, same) = gradients(True), gradients(False)
  assert all((g != 0).all() for g in jax.tree.leaves(params))
  assert all((g == 0).all() for g in jax.tree.leaves(frozen))
  np.testing.assert_allclose(x, same, rtol=2e-6, atol=1e-6)


def test_no_gradient_through_running_statistics():
  variables = _init(BatchNorm())
  gradient = jax.grad(lambda x: _train(BatchNorm(), variables, x)[1]["var"][0])
  np.testing.assert_array_equal(gradient(X), np.zeros_like(X))


# Rules, groups, activation, conditions, dtypes.


def test_rules():
  parts = X[:2], X[2:]
  means = [x.mean((0, 1, 2)) for x in parts]
  variances = [x.var((0, 1, 2)) for x in parts]
  unbiased = [x.var((0, 1, 2), ddof=1) for x in parts]

  def average(rule):
    norm = BatchNorm(rule=rule, momentum=0.123)
    variables = _init(norm)
    for x in parts:
      variables["batch_stats"] = _train(norm, variables, x)[1]
    return variables["batch_stats"]

  stats = average(cumulative(unbiased=True))
  np.testing.assert_allclose(stats["mean"], sum(means) / 2, rtol=1e-5)
  np.testing.assert_allclose(stats["var"], sum(unbiased) / 2, rtol=1e-5)
  np.testing.assert_array_equal(stats["weight"], [2, 2, 2])
  stats = average(debiased_ema(0.5))
  expected = (variances[0] + 2 * variances[1]) / 3
  np.testing.assert_allclose(stats["var"], expected, rtol=1e-5)
  stats = average(ema(0.5, unbiased=True))
  expected = 0.25 + 0.25 * unbiased[0] + 0.5 * unbiased[1]
  np.testing.assert_allclose(stats["var"], expected, rtol=1e-5)
  assert set(stats) == {"mean", "var"}


@pytest.mark.parametrize(
  "rule", [None, debiased_ema(0.9), cumulative(weighting="count")]
)
@pytest.mark.parametrize("groups", [None, 2])
def test_one_counted_value_and_batches_that_are_not_finite(rule, groups):
  one = np.zeros((6, 4, 4, 1), bool)
  one[0, 0, 0] = True
  norm = BatchNorm(rule=rule, groups=groups, skip_nonfinite=True)
  variables = _init(norm)
  _, stats = _train(norm, variables, mask=one)
  np.testing.assert_array_equal(stats["var"], np.ones(3))
  np.testing.assert_allclose(
    stats["mean"], X[0, 0, 0] * (0.01 if rule is None else 1), rtol=1e-5
  )
  after = {**variables, "batch_stats": stats}
  _close(_train(norm, after, np.where(one, np.inf, X))[1], stats, 0)
  if rule is not None and not rule.by_count:
    _, stats = _train(norm, after)
    np.testing.assert_allclose(stats["var"], X.var((0, 1, 2)), rtol=1e-5)


@pytest.mark.parametrize("rule", [debiased_ema(0.5), cumulative()])
def test_checkpoint_without_the_variance_s_weight(rule):
  """Kept before one value was none of the variance: all of it is as weight."""
  norm = BatchNorm(rule=rule)
  variables = _init(norm)
  variables["batch_stats"] = _train(norm, variables)[1]
  older = dict(variables["batch_stats"])
  del older["var_weight"]
  _, want = _train(norm, variables, 3 * X)
  _, got = _train(norm, {**variables, "batch_stats": older}, 3 * X)
  _close(got, want, 0)


def test_inference_needs_no_weight():
  variables = _init(nn.BatchNorm())
  norm = BatchNorm(rule=debiased_ema(0.9))
  y = norm.apply(variables, X, use_running_average=True)
  np.testing.assert_allclose(y, X, rtol=1e-5)
  _, stats = _train(norm, variables)
  np.testing.assert_allclose(stats["var"], X.var((0, 1, 2)), rtol=1e-5)


def test_groups_are_batches_of_their_own():
  norm = BatchNorm(momentum=0.0, groups=3)
  variables = _init(norm, X[:1])
  y, stats = _train(norm, variables)
  plain = BatchNorm(momentum=0.0)
  parts = [_train(plain, variables, X[i : i + 2])[0] for i in (0, 2, 4)]
  _close(y, jnp.concatenate(parts))
  _close(stats, _train(plain, variables)[1])
  for groups in (4, 0):
    with pytest.raises(ValueError, match=f"{groups} groups do not divide 6"):
      _train(BatchNorm(groups=groups), variables)
  _close(
    norm.apply(variables, X, use_running_average=True),
    plain.apply(variables, X, use_running_average=True),
    0,
  )


@pytest.mark.parametrize("mask_shape", [(6, 1, 1, 1), (4, 1), (6, 4, 4, 3)])
def test_groups_and_masks(mask_shape):
  mask = np.random.default_rng(0).random(mask_shape) < 0.6
  norm = BatchNorm(momentum=0.0, groups=2)
  variables = _init(norm)
  y, stats = _train(norm, variables, mask=mask)
  plain = BatchNorm(momentum=0.0)
  whole = np.broadcast_to(mask, X.shape)
  parts = [
    _train(plain, variables, X[i : i + 3], mask=whole[i : i + 3])[0]
    for i in (0, 3)
  ]
  _close(y, jnp.concatenate(parts))
  _close(stats, _train(plain, variables, mask=mask)[1])


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_groups_are_the_same_on_two_devices(groups):
  norm = BatchNorm(momentum=0.0, groups=groups, axis_name="d")
  x = np.concatenate([X, 5 * X[:2]])
  variables = _init(norm, x)
  spec = PartitionSpec("d")
  y, stats = _shard(
    partial(_train, norm, variables), 2, spec, (spec, PartitionSpec())
  )(x)
  alone = BatchNorm(momentum=0.0, groups=groups)
  whole, pooled = _train(alone, variables, x)
  _close(y, whole)
  _close(stats, pooled)


def test_groups_and_axis_index_groups_are_not_both():
  norm = BatchNorm(groups=2, axis_name="d", axis_index_groups=[[0], [1]])
  run = partial(_train, norm, _init(norm))
  with pytest.raises(ValueError, match="leave out axis_index_groups"):
    jax.vmap(run, axis_name="d")(X[None])


@pytest.mark.parametrize("use_running_average", [True, False])
def test_activation(use_running_average):
  variables = _init(BatchNorm())

  def run(norm, f, x):
    y = norm.apply(
      variables,
      x,
      use_running_average=use_running_average,
      mutable=["batch_stats"],
    )[0]
    return (f(y) ** 2).sum()

  ours = jax.value_and_grad(
    partial(run, BatchNorm(activation="relu"), lambda y: y)
  )
  theirs = jax.value_and_grad(
    partial(run, nn.BatchNorm(use_fast_variance=False), nn.relu)
  )
  x = X - 3
  np.testing.assert_allclose(ours(x)[0], theirs(x)[0], rtol=1e-5)
  np.testing.assert_allclose(ours(x)[1], theirs(x)[1], atol=1e-4)


def test_conditional_scale_and_bias():
  norm = BatchNorm(use_scale=False, use_bias=False)
  variables = _init(norm)
  assert "params" not in variables
  plain, _ = _train(norm, variables)
  vectors = np.float32([1, 2, 3]), np.float32([0, -1, 1])
  y, _ = _train(norm, variables, scale=vectors[0], bias=vectors[1])
  expected = np.asarray(plain) * vectors[0] + vectors[1]
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
  scale = X[:, :1, :1] - 2
  relu = BatchNorm(use_scale=False, use_bias=False, activation="relu")
  mask = (np.arange(6) < 4).reshape(6, 1, 1, 1)
  y, _ = _train(relu, variables, scale=scale, bias=vectors[1], mask=mask)
  plain, _ = _train(norm, variables, mask=mask)
  expected = np.maximum(np.asarray(plain) * scale + vectors[1], 0) * mask
  np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
  with pytest.raises(ValueError, match="fits neither"):
    _train(norm, variables, scale=scale[:, 0, 0])
  with pytest.raises(ValueError, match="use_scale=False"):
    _train(BatchNorm(), _init(BatchNorm()), scale=scale)


def test_float64():
  with jax.enable_x64(True):
    x = jnp.asarray(np.random.default_rng(0).normal(1e8, 1, (50, 2)))
    norm = BatchNorm(param_dtype=jnp.float64, momentum=0.0)
    variables = _init(norm, x)
    y, stats = _train(norm, variables, x)
    assert y.dtype == stats["mean"].dtype == stats["var"].dtype == jnp.float64
    np.testing.assert_allclose(stats["mean"], np.mean(x, 0), rtol=1e-15)
    np.testing.assert_allclose(y.std(0), [1, 1], rtol=1e-4)


def test_statistics_keep_their_dtype():
  x = jnp.asarray(X, jnp.bfloat16)
  norm = BatchNorm(param_dtype=jnp.bfloat16, force_float32_reductions=False)
  _, stats = _train(norm, _init(norm, x), X)
  assert stats["mean"].dtype == jnp.bfloat16


@pytest.mark.parametrize("x_dtype", [jnp.float32, jnp.bfloat16])
@pytest.mark.parametrize("dtype", [None, jnp.bfloat16])
def test_strict_dtype_promotion(x_dtype, dtype):
  x = jnp.asarray(X, x_dtype)
  norm = BatchNorm(dtype=dtype, groups=2, rule=debiased_ema(0.9))
  mask = np.arange(6).reshape(6, 1, 1, 1) < 4
  with jax.numpy_dtype_promotion("strict"):
    variables = _init(norm, x)

    @jax.jit
    @partial(jax.grad, has_aux=True)
    def gradient(params):
      y, _ = _train(norm, {**variables, "params": params}, x, mask=mask)
      return y.sum(), y

    trained = gradient(variables["params"])[1]
    inferred = norm.apply(variables, x, use_running_average=True)
  assert trained.dtype == inferred.dtype == (dtype or jnp.float32)
