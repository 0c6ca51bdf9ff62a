"""Folding NNX models: right, or refused with the reason."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from folding_models import assert_close

from bnjax.nnx import BatchNorm
from bnjax.nnx.tools import fold

X = jax.random.normal(jax.random.key(1), (5, 6, 4))
RNGS = nnx.Rngs(0)


def trained(model):
  """Every value random, as after training."""
  rng = np.random.default_rng(0)
  for path, variable in nnx.to_flat_state(nnx.state(model)):
    if isinstance(variable, (nnx.Param, nnx.BatchStat)):
      value = rng.normal(size=variable.get_value().shape)
      if path[-1] == "var":
        value = rng.uniform(0.3, 3.0, size=value.shape)
      variable.set_value(jnp.asarray(value, jnp.float32))
  return model


def check(model, x=X, *, refused=(), call=lambda model, x: model(x), **options):
  before = jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(trained(model))))
  result = fold(model, x, call=call, **options)
  assert {"/".join(map(str, path)) for path in result.refused} == set(refused)
  after = nnx.to_pure_dict(nnx.state(model))
  jax.tree.map(np.testing.assert_array_equal, before, after)
  model.eval()
  want = call(model, x)
  assert_close(call(result.model, x), want)
  if not refused:
    graph, state = nnx.split(result.model)
    run = lambda x: call(nnx.merge(graph, nnx.as_pure(state)), x)
    assert "rsqrt" not in str(jax.make_jaxpr(run)(x))
    stats = nnx.state(result.model, nnx.BatchStat)
    assert not jax.tree.leaves(stats)
  return result


def norm(features=4, kind=BatchNorm, **options):
  return kind(features, rngs=RNGS, **options)


LAYERS = {
  "linear": lambda: nnx.Linear(4, 4, rngs=RNGS),
  "no bias": lambda: nnx.Linear(4, 4, use_bias=False, rngs=RNGS),
  "general": lambda: nnx.LinearGeneral(4, 4, rngs=RNGS),
  "conv": lambda: nnx.Conv(4, 4, (3,), strides=2, rngs=RNGS),
  "groups": lambda: nnx.Conv(
    4, 4, (3,), feature_group_count=2, use_bias=False, rngs=RNGS
  ),
  "transpose": lambda: nnx.ConvTranspose(4, 4, (3,), rngs=RNGS),
  "transposed kernel": lambda: nnx.ConvTranspose(
    4, 4, (3,), transpose_kernel=True, use_bias=False, rngs=RNGS
  ),
}


@pytest.mark.parametrize("kind", [nnx.BatchNorm, BatchNorm])
@pytest.mark.parametrize("name", LAYERS)
def test_every_kind_of_layer(name, kind):
  model = nnx.Sequential(LAYERS[name](), norm(kind=kind), nnx.relu)
  result = check(model)
  assert result.folded == {("layers", 1): ("layers", 0)}
  graph, state = nnx.split(result.model)
  assert_close(nnx.merge(graph, state)(X), model(X))


class Each(nnx.Module):
  """One norm that must not be folded."""

  def __init__(self, kind):
    self.kind = kind
    product = (
      self.round_dot if kind == "custom product" else jax.lax.dot_general
    )
    promote = {"promote_dtype": self.round} if kind == "promote" else {}
    self.dense = nnx.Linear(
      4, 4, dot_general=product, **promote, rngs=nnx.Rngs(0)
    )
    self.norm = norm(
      axis=1 if kind == "other axis" else -1,
      features=6 if kind == "other axis" else 4,
      use_bias=kind != "conditional",
      normalize_with="batch" if kind == "batch" else None,
      update_running=True if kind == "adapting" else None,
    )
    if kind == "tied":
      self.other = nnx.Linear(4, 4, rngs=nnx.Rngs(0))
      self.other.kernel = self.dense.kernel

  @staticmethod
  def round_dot(x, kernel, *args, **kwargs):
    return jax.lax.dot_general(x, jnp.round(kernel), *args, **kwargs)

  @staticmethod
  def round(arrays, dtype=None):
    return [None if a is None else jnp.round(a) for a in arrays]

  def __call__(self, x):
    match self.kind:
      case "activation":
        return self.norm(nnx.relu(self.dense(x)))
      case "other use":
        y = self.dense(x)
        return self.norm(y) + y
      case "norm first":
        return self.dense(self.norm(x))
      case "shared kernel":
        return self.norm(self.dense(self.dense(x)))
      case "tied":
        return self.other(nnx.relu(self.norm(self.dense(x))))
      case "read kernel":
        return self.norm(self.dense(x)) @ self.dense.kernel[...].T
      case "read statistics":
        return self.norm(self.dense(x)) + self.norm.var[...].sum()
      case "conditional":
        return self.norm(self.dense(x), bias=x)
      case "never called":
        return self.dense(x)
      case _:
        return self.norm(self.dense(x))


@pytest.mark.parametrize(
  ("kind", "why"),
  [
    ("activation", "relu"),
    ("other use", "dense has other uses"),
    ("norm first", "the model's input"),
    ("shared kernel", "dense is used 2 times"),
    ("tied", "variable of dense is used outside"),
    ("read kernel", "variable of dense is used outside"),
    ("read statistics", "variable of norm is used outside"),
    ("other axis", "axes"),
    ("custom product", "does not multiply"),
    ("promote", "does not multiply"),
    ("batch", "inference mode"),
    ("adapting", "updates"),
    ("conditional", "given in the call"),
    ("never called", "not reached"),
  ],
)
def test_refuses_with_a_reason(kind, why):
  result = check(Each(kind), refused=["norm"])
  assert why in result.refused[("norm",)]


@pytest.mark.parametrize("base", [nnx.BatchNorm, BatchNorm])
def test_subclasses_are_refused_unless_they_are_named(base):
  class NormAct(base):
    def __call__(self, x, train=False, *, slope=0.0):
      y = super().__call__(x, use_running_average=not train)
      return jnp.where(y > 0, y, slope * y)

  class Own(base):
    def __call__(self, x):
      return jnp.tanh(x - self.mean[...][None, None])

  def model(kind):
    return nnx.Sequential(LAYERS["no bias"](), norm(kind=kind))

  result = check(model(NormAct), refused=["layers/1"])
  assert "norms=(NormAct,)" in result.refused[("layers", 1)]
  result = check(model(NormAct), norms=NormAct)
  assert (result.model(X) >= 0).all()
  result = check(model(Own), norms=(Own,), refused=["layers/1"])
  assert "not reached" in result.refused[("layers", 1)]

  class Named(nnx.Linear):
    pass

  layers = Named(4, 4, rngs=RNGS), norm()
  check(nnx.Sequential(*layers), refused=["layers/1"])
  check(nnx.Sequential(*layers), kernels=Named)


class Net(nnx.Module):
  def __init__(self):
    self.dense = nnx.Linear(4, 4, use_bias=False, rngs=RNGS)
    self.norm = norm(activation="relu")
    self.last = nnx.Linear(4, 1, rngs=RNGS)

  def __call__(self, x):
    x = jnp.tanh(self.norm(self.dense(x)))
    return self.last(self.norm(self.dense(x)) ** 2).sum()


def test_one_pair_twice_and_derivatives_by_the_input():
  check(Net())
  check(Net(), call=lambda net, x: jax.grad(net)(x))
  check(Net(), call=lambda net, x: net(x) + jax.grad(net)(x))
  check(Net(), call=lambda net, x: jax.vmap(jax.hessian(net))(x[:, 0]))
  slopes = lambda net, x: nnx.grad(lambda net: net(x))(net)["dense"]["kernel"]
  check(Net(), call=lambda net, x: slopes(net, x)[...], refused=["norm"])


class Lifted(nnx.Module):
  def __init__(self, kind):
    self.kind = kind
    make = lambda rngs: nnx.Sequential(
      nnx.Linear(4, 4, rngs=rngs), BatchNorm(4, rngs=rngs)
    )
    if kind == "scan":
      make_all = nnx.vmap(lambda key: make(nnx.Rngs(key)))
      self.block = make_all(jax.random.split(jax.random.key(0), 2))
    else:
      self.block = make(RNGS)

  def __call__(self, x):
    run = lambda block, x: block(x)
    match self.kind:
      case "jit":
        return nnx.jit(run)(self.block, x)
      case "remat":
        return nnx.remat(run)(self.block, x)
      case "vmap":
        return nnx.vmap(run, in_axes=(None, 0))(self.block, x)
      case "scan":
        scan = nnx.scan(
          lambda x, block: block(x), in_axes=(nnx.Carry, 0), out_axes=nnx.Carry
        )
        return scan(x, self.block)


@pytest.mark.parametrize("kind", ["jit", "remat", "vmap", "scan"])
def test_inside_transformations(kind):
  refused = ["block/layers/1"] if kind == "scan" else []
  result = check(Lifted(kind), refused=refused)
  if kind == "scan":
    assert "nnx.scan" in result.refused[("block", "layers", 1)]


def test_what_is_wrong_is_said():
  model = nnx.Sequential(nnx.Linear(4, 4, rngs=RNGS), norm())
  with pytest.raises(TypeError, match="kernels must be module classes"):
    fold(model, X, kernels=nnx.Linear(4, 4, rngs=RNGS))
  with pytest.raises(TypeError, match=r"call=.*model\(batch\[0\]\)"):
    fold(model, (X, X[:, 0]))
  with pytest.raises(ValueError, match="no batch norm"):
    fold(nnx.Linear(4, 4, rngs=RNGS), X)
  assert fold(model, jax.ShapeDtypeStruct(X.shape, X.dtype)).folded
