"""Folding Flax models: what is folded, what is refused, and the numbers."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from folding_models import Norm, assert_close, norm, with_statistics
from jax import export

from bnjax.tools import apply_folded, fold


def check(model, x, *, folded, refused=()):
  """Folds, compares both ways of running it, and returns the result."""
  variables = with_statistics(model, x)
  before = jax.tree.map(np.array, variables)
  result = fold(model, variables, x)
  jax.tree.map(np.testing.assert_array_equal, variables, before)
  pairs = [("/".join(p.kernel), "/".join(p.norm)) for p in result.folded]
  assert pairs == list(folded)
  assert {"/".join(path) for path in result.refused} == set(refused)
  want = jax.jit(model.apply)(variables, x)
  assert_close(jax.jit(model.apply)(result.variables, x), want)
  bare = jax.jit(lambda x: apply_folded(model, result, x))
  assert_close(bare(x), want)
  if not refused:
    assert "rsqrt" not in str(jax.make_jaxpr(bare)(x))
  return result


def images(channels=3):
  return jax.random.normal(jax.random.key(1), (2, 6, 6, channels))


class Mlp(nn.Module):
  use_bias: bool = True

  @nn.compact
  def __call__(self, x):
    x = nn.Dense(5, use_bias=self.use_bias)(x)
    x = nn.BatchNorm(use_running_average=True)(x)
    x = nn.relu(x)
    x = nn.Dense(4, use_bias=self.use_bias)(x)
    x = nn.sigmoid(norm(use_scale=False, use_bias=False)(x))
    return nn.Dense(3)(x)


@pytest.mark.parametrize("use_bias", [True, False])
def test_mlp(use_bias):
  x = jax.random.normal(jax.random.key(1), (7, 3))
  pairs = [("Dense_0", "BatchNorm_0"), ("Dense_1", "BatchNorm_1")]
  result = check(Mlp(use_bias), x, folded=pairs)
  assert [pair.shifts for pair in result.folded] == [not use_bias] * 2


class Block(nn.Module):
  @nn.compact
  def __call__(self, x):
    y = nn.Conv(4, (3, 3), use_bias=False)(x)
    y = nn.relu(norm()(y))
    y = nn.Conv(x.shape[-1], (3, 3), use_bias=False)(y)
    y = norm(scale_init=nn.initializers.zeros)(y)
    x = norm(name="projection_norm")(nn.Conv(3, (1, 1), name="projection")(x))
    return nn.relu(norm(name="after")(x + y))


def test_residual_block_folds_all_but_the_norm_of_the_sum():
  pairs = [
    ("Conv_0", "BatchNorm_0"),
    ("Conv_1", "BatchNorm_1"),
    ("projection", "projection_norm"),
  ]
  result = check(Block(), images(), folded=pairs, refused=["after"])
  assert "`add`" in result.refused[("after",)]


@pytest.mark.parametrize(
  "layer",
  [
    nn.Conv(8, (3, 3), strides=2, kernel_dilation=2),
    nn.Conv(8, (3, 3), feature_group_count=4, use_bias=False),
    nn.Conv(8, (3, 3), feature_group_count=4, padding="CIRCULAR"),
    nn.ConvLocal(6, (3, 3)),
    nn.ConvTranspose(6, (3, 2), strides=(2, 2)),
    nn.ConvTranspose(6, (3, 2), strides=(2, 2), transpose_kernel=True),
    nn.ConvTranspose(4, (3, 3), transpose_kernel=True, use_bias=False),
    nn.DenseGeneral(4, axis=(1, 3)),
    nn.Conv(
      6,
      (3, 3),
      mask=jnp.asarray(np.eye(3)[:, :, None, None] > 0)
      * jnp.ones((3, 3, 4, 6)),
    ),
  ],
  ids=lambda layer: type(layer).__name__,
)
def test_every_kind_of_layer(layer):
  model = nn.Sequential([layer, norm(epsilon=1e-3), nn.relu])
  check(model, images(4), folded=[("layers_0", "layers_1")])


class Each(nn.Module):
  """One pair that must not be folded."""

  kind: str

  @nn.compact
  def __call__(self, x):
    product = round_dot if self.kind == "custom product" else None
    axis = 0 if self.kind == "other axis" else -1
    average = self.kind != "batch"
    dense = nn.Dense(3, name="dense", dot_general=product)
    last = Norm(
      use_running_average=average,
      name="norm",
      axis=axis,
      use_bias=self.kind != "conditional",
    )
    match self.kind:
      case "activation":
        return last(nn.relu(dense(x)))
      case "other use":
        y = dense(x)
        return last(y) + y
      case "is an output":
        y = dense(x)
        return y, last(y)
      case "norm first":
        return dense(last(x))
      case "norm of norm":
        y = norm(name="inner", use_scale=False)(x)
        return last(y)
      case "shared kernel":
        return last(dense(dense(x)))
      case "shared norm":
        return last(nn.Dense(3)(last(dense(x))))
      case "tied kernel":
        y = last(dense(x))
        return y @ dense.variables["params"]["kernel"].T
      case "read statistics":
        y = last(dense(x))
        return y + last.variables["batch_stats"]["var"].sum()
      case "one of several":
        y, _ = jnp.split(jnp.tile(dense(x), 2), 2, axis=-1)
        return last(y)
      case "a constant":
        return last(jnp.ones_like(x)) + dense(x)
      case "integers":
        return last(dense(x).astype(int).astype(float))
      case "transformed kernel":
        return last(nn.WeightNorm(dense)(x))
      case "conditional":
        return last(dense(x), bias=x)
      case "moved features":
        y = dense(x)
        return last(y.reshape(3, -1)).reshape(y.shape)
      case _:
        return last(dense(x))


def round_dot(x, kernel, *args, **kwargs):
  return jax.lax.dot_general(x, jnp.round(kernel), *args, **kwargs)


@pytest.mark.parametrize(
  ("kind", "why"),
  [
    ("activation", "relu"),
    ("other use", "dense has other uses"),
    ("is an output", "dense has other uses"),
    ("norm first", "the model's input"),
    ("norm of norm", "the norm inner"),
    ("shared kernel", "dense is used 2 times"),
    ("shared norm", "used 2 times"),
    ("tied kernel", "variable of dense is used outside"),
    ("read statistics", "variable of norm is used outside"),
    ("moved features", "reshape that moves features"),
    ("other axis", "axes"),
    ("custom product", "does not multiply"),
    ("batch", "inference mode"),
    ("one of several", "`split`"),
    ("a constant", "`broadcast_in_dim`"),
    ("integers", "integers"),
    ("transformed kernel", "transformed before use"),
    ("conditional", "given in the call"),
  ],
)
def test_refuses_with_a_reason(kind, why):
  model, x = Each(kind), jax.random.normal(jax.random.key(1), (4, 3))
  variables = with_statistics(model, x)
  result = fold(model, variables, x)
  assert why in result.refused[("norm",)]
  assert not result.folded
  jax.tree.map(np.testing.assert_array_equal, result.variables, variables)


class Layer(nn.Module):
  @nn.compact
  def __call__(self, x, _=None):
    return nn.relu(norm()(nn.Dense(3)(x))), None


class Lifted(nn.Module):
  kind: str

  @nn.compact
  def __call__(self, x):
    if self.kind == "scan":
      axes = {"params": 0, "batch_stats": 0}
      scanned = nn.scan(
        Layer, variable_axes=axes, split_rngs={"params": True}, length=2
      )
      return scanned(name="layer")(x, None)[0]
    if self.kind == "vmap":
      shared = {"params": None, "batch_stats": None}
      mapped = nn.vmap(
        Layer, variable_axes=shared, split_rngs={"params": False}
      )
      return mapped(name="layer")(x)[0]
    lift = nn.remat if self.kind == "remat" else nn.jit
    return lift(Layer)(name="layer")(x)[0]


@pytest.mark.parametrize("kind", ["remat", "jit", "vmap"])
def test_folds_inside_lifted_transformations(kind):
  x = jax.random.normal(jax.random.key(1), (4, 3))
  pairs = [("layer/Dense_0", "layer/BatchNorm_0")]
  check(Lifted(kind), x, folded=pairs)


def test_refuses_stacked_layers():
  x = jax.random.normal(jax.random.key(1), (4, 3))
  result = check(Lifted("scan"), x, folded=[], refused=["layer/BatchNorm_0"])
  assert "nn.scan" in result.refused[("layer", "BatchNorm_0")]


def test_folds_through_casts_and_reshapes():
  class Through(nn.Module):
    @nn.compact
    def __call__(self, x):
      y = nn.Dense(4)(x).reshape(-1, 2, 4).astype(jnp.float16)
      return norm()(y.astype(jnp.float32))

  model, x = Through(), jax.random.normal(jax.random.key(1), (6, 3))
  variables = with_statistics(model, x)
  result = fold(model, variables, x)
  assert len(result.folded) == 1
  got = apply_folded(model, result, x)
  np.testing.assert_allclose(got, model.apply(variables, x), atol=0.01)


class Linear(nn.Module):
  """A linear layer that is none of Flax's."""

  @nn.compact
  def __call__(self, x):
    kernel = self.param("kernel", nn.initializers.ones, (x.shape[-1], 4))
    bias = self.param("bias", nn.initializers.zeros, (4,))
    return x @ kernel + bias[None]

  features = 4


def test_other_layers_fold_where_they_are_named():
  model = nn.Sequential([Linear(), norm()])
  x = jax.random.normal(jax.random.key(1), (7, 3))
  variables = with_statistics(model, x)
  assert set(fold(model, variables, x).refused) == {("layers_1",)}
  result = fold(model, variables, x, kernels=(Linear,))
  assert not result.refused
  want = model.apply(variables, x)
  assert_close(model.apply(result.variables, x), want)
  assert_close(apply_folded(model, result, x), want)


def test_fused_activation_stays():
  model = nn.Sequential([nn.Dense(3, use_bias=False), norm(activation="relu")])
  x = jax.random.normal(jax.random.key(1), (9, 3))
  check(model, x, folded=[("layers_0", "layers_1")])


def test_bfloat16_model_keeps_its_dtypes():
  layer = nn.Conv(4, (3, 3), dtype=jnp.bfloat16, use_bias=False)
  model = nn.Sequential([layer, norm(dtype=jnp.bfloat16)])
  x = images()
  variables = with_statistics(model, x)
  result = fold(model, variables, x)
  want = model.apply(variables, x)
  got = apply_folded(model, result, x)
  assert got.dtype == want.dtype == jnp.bfloat16
  np.testing.assert_allclose(
    got.astype(jnp.float32), want.astype(jnp.float32), atol=0.06
  )


def test_identity_norm_is_the_identity_bit_by_bit():
  x = jax.random.normal(jax.random.key(1), (50, 3)) * 1e3
  model = nn.Sequential([nn.Dense(3), norm(epsilon=1e-3)])
  folded = fold(model, with_statistics(model, x), x).variables
  dense = nn.Dense(3).apply({"params": folded["params"]["layers_0"]}, x)
  np.testing.assert_array_equal(model.apply(folded, x), dense)


def test_traces_shapes_alone_and_keeps_frozen_dicts():
  from flax.core import freeze

  x = jax.random.normal(jax.random.key(1), (7, 3))
  variables = freeze(with_statistics(Mlp(), x))
  shape = jax.ShapeDtypeStruct(x.shape, x.dtype)
  result = fold(Mlp(), variables, shape)
  assert type(result.variables) is type(variables)
  assert len(result.folded) == 2


@pytest.mark.parametrize("bare", [False, True])
def test_export_round_trips(bare):
  pytest.importorskip("flatbuffers")
  model, x = Block(), images()
  variables = with_statistics(model, x)
  result = fold(model, variables, x)

  def run(x):
    if bare:
      return apply_folded(model, result, x)
    return model.apply(result.variables, x)

  batch = export.symbolic_shape("b, 6, 6, 3")
  shape = jax.ShapeDtypeStruct(batch, x.dtype)
  stored = export.export(jax.jit(run))(shape).serialize()
  loaded = export.deserialize(stored)
  assert_close(loaded.call(x), model.apply(variables, x))
