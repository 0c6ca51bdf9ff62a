import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from flax.nnx.nn import dtypes

import bnjax.linen
from bnjax.nnx import BatchNorm
from bnjax.ops import cumulative, debiased_ema, ema

X = np.random.default_rng(0).normal(3, 2, (6, 4, 3)).astype(np.float32)
MEAN, VAR = X.mean((0, 1)), X.var((0, 1))


def _norm(cls=BatchNorm, **arguments):
  return cls(3, **{"momentum": 0.5, **arguments}, rngs=nnx.Rngs(0))


def _stats(norm):
  return {
    name: np.asarray(variable[...])
    for name, variable in nnx.state(norm, nnx.BatchStat).items()
  }


def _same(a, b, tolerance=1e-5):
  assert a.dtype == b.dtype
  np.testing.assert_allclose(
    np.float32(a), np.float32(b), rtol=tolerance, atol=tolerance
  )


# Flax's arguments, Variables, dtypes and numbers.


def test_takes_flax_arguments():
  layer = BatchNorm(
    3,
    use_running_average=None,
    axis=1,
    momentum=0.5,
    epsilon=1e-3,
    dtype=jnp.float32,
    param_dtype=jnp.float32,
    use_bias=True,
    use_scale=True,
    bias_init=nnx.initializers.ones_init(),
    scale_init=nnx.initializers.normal(),
    axis_name="d",
    axis_index_groups=[[0], [1]],
    use_fast_variance=False,
    promote_dtype=dtypes.promote_dtype,
    rngs=nnx.Rngs(0),
    bias_metadata={"mine": 1},
    scale_metadata={"mine": 2},
  )
  accepted = set(inspect.signature(nnx.BatchNorm.__init__).parameters)
  assert len(accepted - {"self"}) == 18  # All of them above.
  assert (layer.bias.mine, layer.scale.mine) == (1, 2)
  assert isinstance(layer, nnx.BatchNorm)
  with pytest.raises(TypeError, match="epsylon"):
    BatchNorm(3, epsylon=1.0, rngs=nnx.Rngs(0))


CASES = {
  "defaults": ({}, X),
  "axis_1": ({"axis": 1}, np.swapaxes(X, 1, 2)),
  "no_scale": ({"use_scale": False}, X),
  "no_bias": ({"use_bias": False}, X),
  "bf16_input": ({}, jnp.asarray(X, jnp.bfloat16)),
  "bf16_parameters": (
    {"param_dtype": jnp.bfloat16, "use_bias": False},
    jnp.asarray(X, jnp.bfloat16),
  ),
  "bf16_result": ({"dtype": jnp.bfloat16}, X),
  "scale_init": ({"scale_init": nnx.initializers.normal()}, X),
}


@pytest.mark.parametrize("name", CASES)
def test_equals_flax(name):
  arguments, x = CASES[name]
  arguments = {**arguments, "use_fast_variance": False}
  ours, theirs = _norm(**arguments), _norm(nnx.BatchNorm, **arguments)
  assert jax.tree.structure(nnx.state(ours)) == jax.tree.structure(
    nnx.state(theirs)
  )
  for a, b in zip(
    jax.tree.leaves(nnx.state(ours)),
    jax.tree.leaves(nnx.state(theirs)),
    strict=True,
  ):
    _same(a, b, 0)
  tolerance = 3e-2 if "bf16" in name else 1e-5
  x = jnp.asarray(x)
  _same(ours(x), theirs(x), tolerance)
  for a, b in zip(_stats(ours).values(), _stats(theirs).values(), strict=True):
    _same(a, b, tolerance)
  ours.eval()
  theirs.eval()
  _same(ours(x), theirs(x), tolerance)


def test_inference_in_bfloat16_does_not_round_the_statistics():
  x = jnp.full((1, 3), 100.4, jnp.bfloat16)  # 100.5 in bfloat16.
  outputs = []
  for cls in (BatchNorm, nnx.BatchNorm):
    norm = _norm(cls, dtype=jnp.bfloat16, use_running_average=True)
    norm.mean[...] = jnp.full(3, 100.3)
    norm.var[...] = jnp.full(3, 0.01)
    outputs.append(float(norm(x)[0, 0]))
  assert outputs == [2.0, 0.0]  # 0.2 / 0.1; Flax rounds 100.3 to 100.5.


@pytest.mark.parametrize("to_flax", [True, False])
def test_state_loads_either_way(to_flax):
  source, target = (BatchNorm, nnx.BatchNorm)[:: 1 if to_flax else -1]
  source, target = _norm(source), _norm(target)
  source(X)
  state = nnx.to_pure_dict(nnx.state(source))
  assert set(state) == {"scale", "bias", "mean", "var"}
  nnx.update(target, state)
  source.eval()
  target.eval()
  _same(target(X), source(X), 1e-6)


def test_state_is_that_of_linen():
  module = bnjax.linen.BatchNorm(momentum=0.5, use_running_average=False)
  variables = module.init(jax.random.key(0), X)
  _, updates = module.apply(variables, X, mutable=["batch_stats"])
  norm = _norm()
  nnx.update(norm, {**variables["params"], **updates["batch_stats"]})
  _same(_stats(norm)["mean"], 0.5 * MEAN)


# Modes.


def test_train_eval_and_view():
  norm = _norm()
  norm.eval()
  np.testing.assert_allclose(norm(X), X, rtol=1e-4)
  assert (_stats(norm)["mean"] == 0).all()
  view = nnx.view(norm, use_running_average=False, update_running=False)
  np.testing.assert_allclose(view(X).mean((0, 1)), np.zeros(3), atol=1e-5)
  assert (_stats(norm)["mean"] == 0).all()
  view = nnx.view(norm, normalize_with="batch", train_affine=False)
  np.testing.assert_allclose(view(X).mean((0, 1)), np.zeros(3), atol=1e-5)
  assert not view.train_affine
  norm.train()
  norm(X)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.5 * MEAN, rtol=1e-5)
  norm(X, use_running_average=True)
  norm(X, update_running=False)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.5 * MEAN, rtol=1e-5)
  norm(X, normalize_with="running", update_running=True)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.75 * MEAN, rtol=1e-5)


def test_mode_must_be_given():
  with pytest.raises(ValueError, match="use_running_average"):
    _norm(use_running_average=None)(X)
  _norm(use_running_average=None)(X, normalize_with="batch")


def test_frozen_in_training():
  norm = _norm(normalize_with="running", train_affine=False)
  gradients = nnx.grad(lambda norm: (norm(X) ** 2).sum())(norm)
  assert all((g == 0).all() for g in jax.tree.leaves(gradients))
  assert (_stats(norm)["mean"] == 0).all()


# Transformations.


def test_jit_and_grad_update():
  norm = _norm(rule=cumulative(), activation="relu")

  @nnx.jit
  def step(norm, x):
    return nnx.grad(lambda norm: (norm(x) ** 2).sum())(norm)

  gradients = step(norm, X)
  step(norm, 3 * X)
  assert (gradients["scale"][...] != 0).all()
  stats = _stats(norm)
  np.testing.assert_allclose(stats["mean"], 2 * MEAN, rtol=1e-5)
  np.testing.assert_allclose(stats["var"], 5 * VAR, rtol=1e-5)
  np.testing.assert_array_equal(stats["weight"], [2, 2, 2])


@pytest.mark.parametrize("rule", [ema, debiased_ema])
@pytest.mark.parametrize("momentum", [False, True])
def test_decay_may_be_an_array(rule, momentum):
  """It is data of the module: an argument of what is compiled, no constant."""
  if momentum and rule is debiased_ema:
    return
  decay = jnp.float32(0.5)
  given = {"momentum": decay} if momentum else {"rule": rule(decay)}
  norm, plain = _norm(**given), _norm(rule=rule(0.5))

  @nnx.jit
  def step(norm, x):
    return nnx.grad(lambda norm: (norm(x) ** 3).sum())(norm)

  for x in (X, 3 * X):
    for a, b in zip(
      jax.tree.leaves(step(norm, x)),
      jax.tree.leaves(step(plain, x)),
      strict=True,  # Of scale and bias alone.
    ):
      _same(a, b)
  for name, value in _stats(plain).items():
    _same(_stats(norm)[name], value)
  graph, params, rest = nnx.split(norm, nnx.Param, ...)
  merged = nnx.merge(graph, params, rest)
  merged.eval()
  plain.eval()
  _same(merged(X), plain(X))
  _same(nnx.view(nnx.clone(norm), use_running_average=True)(X), plain(X))

  @nnx.jit  # Made where the decay is traced.
  def made(decay):
    norm = _norm(**({"momentum": decay} if momentum else {"rule": rule(decay)}))
    norm(X)
    return nnx.state(norm, nnx.BatchStat)

  fresh = _norm(rule=rule(0.25))
  fresh(X)
  _same(made(jnp.float32(0.25))["mean"][...], _stats(fresh)["mean"])


def test_decays_of_many_models():
  decays = jnp.array([0.0, 0.5])
  norms = nnx.vmap(lambda decay: _norm(rule=ema(decay)))(decays)
  nnx.vmap(_call, in_axes=(0, None))(norms, X)
  np.testing.assert_allclose(_stats(norms)["mean"], [MEAN, 0.5 * MEAN], 1e-5)


def test_one_counted_value_and_batches_that_are_not_finite():
  one = np.zeros((6, 4, 1), bool)
  one[0, 0] = True
  for rule in (None, debiased_ema(0.9), cumulative(weighting="count")):
    norm = _norm(rule=rule, skip_nonfinite=True)
    norm(X, mask=one)
    np.testing.assert_array_equal(_stats(norm)["var"], np.ones(3))
    before = _stats(norm)
    norm(np.where(one, np.nan, X))
    for name, value in _stats(norm).items():
      np.testing.assert_array_equal(value, before[name])
  norm = _norm(rule=debiased_ema(0.9))
  norm(X, mask=one)
  norm(X)
  np.testing.assert_allclose(_stats(norm)["var"], VAR, rtol=1e-5)


def _call(norm, x):
  return norm(x)


def test_vmap_over_examples_twice():
  # flax#4760. Without the name, statistics differ between examples.
  norm = _norm(axis_name="b")
  mapped = nnx.vmap(_call, in_axes=(None, 0), axis_name="b")
  y = mapped(norm, X)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.5 * MEAN, rtol=1e-5)
  mapped(norm, X)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.75 * MEAN, rtol=1e-5)
  _same(y, _norm()(X))


def test_vmap_without_a_name():
  mapped = nnx.vmap(_call, in_axes=(None, 0))
  norm = _norm(update_running=False)
  for _ in range(2):
    y = mapped(norm, X)
  np.testing.assert_allclose(y.mean(1), np.zeros((6, 3)), atol=1e-5)
  with pytest.raises(ValueError, match=r"mean.*axis spec None"):
    mapped(_norm(), X)


def test_vmap_over_models():
  norms = nnx.vmap(lambda key: BatchNorm(3, momentum=0.5, rngs=nnx.Rngs(key)))(
    jax.random.split(jax.random.key(0), 2)
  )
  nnx.vmap(_call)(norms, np.stack([X, 3 * X]))
  np.testing.assert_allclose(
    _stats(norms)["mean"], [0.5 * MEAN, 1.5 * MEAN], rtol=1e-5
  )


def test_scan_over_layers():
  norms = nnx.vmap(lambda key: BatchNorm(3, momentum=0.5, rngs=nnx.Rngs(key)))(
    jax.random.split(jax.random.key(0), 2)
  )
  scan = nnx.scan(
    lambda x, norm: norm(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry
  )
  scan(jnp.asarray(X), norms)
  np.testing.assert_allclose(
    _stats(norms)["mean"], [0.5 * MEAN, 0 * MEAN], rtol=1e-5, atol=1e-5
  )


def test_remat_updates_once():
  norm = _norm()
  nnx.grad(lambda norm: (nnx.remat(_call)(norm, X) ** 2).sum())(norm)
  np.testing.assert_allclose(_stats(norm)["mean"], 0.5 * MEAN, rtol=1e-5)


def test_eval_shape():
  # flax#4734: the model is an argument, or its statistics are left alone.
  x = jax.ShapeDtypeStruct((5, 3), jnp.bfloat16)
  norm = _norm()
  assert nnx.eval_shape(_call, norm, x).shape == (5, 3)
  view = nnx.view(norm, update_running=False)
  assert nnx.eval_shape(view, x).dtype == jnp.float32
  assert (_stats(norm)["mean"] == 0).all()
  abstract = nnx.eval_shape(_norm)
  assert nnx.eval_shape(_call, abstract, x).shape == (5, 3)


def test_one_module_used_twice():
  class Model(nnx.Module):
    def __init__(self):
      self.norm = _norm()

    def __call__(self, x):
      return self.norm(self.norm(x))

  model = Model()
  model(X)
  np.testing.assert_allclose(_stats(model.norm)["mean"], 0.25 * MEAN, rtol=1e-5)
  model.eval()
  assert model.norm.use_running_average


# Arguments of ours.


def test_weights_repeat_rows():
  times = np.array([1, 0, 2, 1, 0, 3])
  norm, plain = _norm(momentum=0.0), _norm(momentum=0.0)
  y = norm(X, weights=times.reshape(6, 1, 1))
  rows = np.repeat(np.arange(6), times)
  np.testing.assert_allclose(y[rows], plain(X[rows]), rtol=1e-5, atol=1e-5)
  for name, value in _stats(plain).items():
    np.testing.assert_allclose(_stats(norm)[name], value, rtol=1e-5)
  with pytest.raises(TypeError, match="use weights="):
    norm(X, mask=np.ones((6, 1, 1), np.float32))


def test_mask_groups_and_conditions():
  mask = np.arange(6).reshape(6, 1, 1) % 3 < 2
  norm = _norm(groups=2, momentum=0.0, use_scale=False, use_bias=False)
  scale = np.float32([1, 2, 3])
  y = norm(np.where(mask, X, np.nan), mask=mask, scale=scale)
  plain = _norm(momentum=0.0)
  for part in (slice(0, 3), slice(3, 6)):
    expected = plain(X[part], mask=mask[part]) * scale[None, None]
    np.testing.assert_allclose(y[part], expected, rtol=1e-5, atol=1e-5)
  counted = X[mask[:, 0, 0]]
  np.testing.assert_allclose(
    _stats(norm)["mean"], counted.mean((0, 1)), rtol=1e-5
  )
  before = _stats(norm)
  norm(X, mask=np.zeros((1, 1, 1), bool))
  np.testing.assert_array_equal(_stats(norm)["var"], before["var"])


def test_missing_axis():
  _norm(axis_name="d", missing_axis="ignore")(X)
  with pytest.raises(NameError, match="unbound axis name: d"):
    _norm(axis_name="d")(X)


def test_errors():
  with pytest.raises(ValueError, match="one number per feature"):
    _norm()(X[0, :1])
  with pytest.raises(TypeError, match="real floating"):
    _norm()(jnp.asarray(X, jnp.complex64))


def test_promote_dtype_of_ones_own():
  seen = []

  def promote(arrays, dtype):
    seen.append([None if a is None else a.shape for a in arrays])
    return dtypes.promote_dtype(arrays, dtype=dtype)

  norm = _norm(promote_dtype=promote, dtype=jnp.float16, use_bias=False)
  assert norm(X).dtype == jnp.float16
  assert seen == [[(6, 4, 3), (3,), (3,), (3,), None]]
  assert _stats(norm)["mean"].dtype == np.float32


def test_float64():
  with jax.enable_x64(True):
    x = np.random.default_rng(0).normal(1e8, 1, (50, 3))
    norm = _norm(param_dtype=jnp.float64, momentum=0.0)
    assert norm(x).dtype == jnp.float64
    np.testing.assert_allclose(_stats(norm)["mean"], x.mean(0), rtol=1e-15)


def test_strict_dtype_promotion():
  with jax.numpy_dtype_promotion("strict"):
    norm = _norm(dtype=jnp.bfloat16)
    assert norm(X).dtype == jnp.bfloat16
    norm.eval()
    assert norm(X).dtype == jnp.bfloat16
