"""Folding models that are not plain: right, or refused with the reason."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from folding_models import assert_close, norm, with_statistics

from bnjax.linen import BatchNorm
from bnjax.tools import apply_folded, fold

X = jax.random.normal(jax.random.key(1), (5, 3))


def run(model, variables=None, **options):
  """Folds, and compares both ways of running it with the model's own."""
  if variables is None:
    variables = with_statistics(model, X)
  result = fold(model, variables, X, **options)
  options = {k: v for k, v in options.items() if k in ("call", "rngs")}
  call = nn.apply(options.pop("call", lambda model, x: model(x)), model)
  want = call(variables, X, **options)
  assert_close(call(result.variables, X, **options), want)
  return result, want


def apply(model, result, want, **options):
  assert_close(apply_folded(model, result, X, **options), want)


def activated(base):
  class NormAct(base):
    @nn.compact
    def __call__(self, x, train=False, *, slope=0.0):
      y = super().__call__(x, use_running_average=not train)
      return jnp.where(y > 0, y, slope * y)

  return NormAct


@pytest.mark.parametrize("base", [nn.BatchNorm, BatchNorm])
def test_subclasses_of_norms_are_refused_unless_they_are_named(base):
  kind = activated(base)
  model = nn.Sequential([nn.Dense(4, use_bias=False), kind()])
  result, want = run(model)
  apply(model, result, want)
  assert "norms=(NormAct,)" in result.refused[("layers_1",)]
  assert not result.folded
  for norms in (kind, (kind,)):
    result, want = run(model, norms=norms)
    assert (want >= 0).all()
    apply(model, result, want)
    assert [pair.norm for pair in result.folded] == [("layers_1",)]
    assert not result.refused


def test_a_subclass_that_does_it_all_itself_is_refused():
  class Own(nn.BatchNorm):
    @nn.compact
    def __call__(self, x):
      mean = self.variable("batch_stats", "mean", jnp.zeros, (4,))
      self.variable("batch_stats", "var", jnp.ones, (4,))
      return jnp.tanh(x - mean.value[None])

  model = nn.Sequential([nn.Dense(4), Own()])
  for norms in ((), Own):
    result, want = run(model, norms=norms)
    apply(model, result, want)
    assert "Own" in result.refused[("layers_1",)]


def test_subclasses_of_kernels_are_refused_unless_they_are_named():
  class Squared(nn.Dense):
    @nn.compact
    def __call__(self, inputs):
      return super().__call__(inputs) ** 2

  class Named(nn.Dense):
    pass

  result, _ = run(nn.Sequential([Squared(4), norm()]))
  assert set(result.refused) == {("layers_1",)}
  result, _ = run(nn.Sequential([Named(4), norm()]))
  assert set(result.refused) == {("layers_1",)}
  result, _ = run(nn.Sequential([Named(4), norm()]), kernels=Named)
  assert not result.refused


@pytest.mark.parametrize("parts", ["conv and norm", "model and conv"])
def test_a_shared_scope_is_refused(parts):
  class Shared(nn.Module):
    def setup(self):
      self.conv = nn.Dense(3, use_bias=parts == "model and conv")
      self.norm = norm()
      nn.share_scope(self, self.conv)
      if parts == "conv and norm":
        nn.share_scope(self, self.norm)

    @nn.compact
    def __call__(self, x):
      return self.norm(self.conv(x))

  class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
      return Shared(name="shared")(x)

  model = Model()
  result, want = run(model)
  apply(model, result, want)
  (reason,) = result.refused.values()
  assert "share_scope" in reason


def test_dtypes_promoted_in_another_way_are_refused():
  def rounded(*arrays, dtype=None, inexact=True):
    return [None if a is None else jnp.round(a) for a in arrays]

  layer = nn.Dense(4, promote_dtype=rounded)
  result, _ = run(nn.Sequential([layer, norm()]))
  assert "does not multiply" in result.refused[("layers_1",)]
  layer = nn.Dense(4, dot_general=jax.lax.dot_general)
  assert not run(nn.Sequential([layer, norm()]))[0].refused


def test_a_norm_that_keeps_adapting_is_refused():
  result = fold(
    model := nn.Sequential([nn.Dense(4), norm(update_running=True)]),
    with_statistics(model, X),
    X,
    mutable=["batch_stats"],
  )
  assert "updates" in result.refused[("layers_1",)]


class ByMutability(nn.Module):
  """Trains where `batch_stats` may be changed; writes what else may be."""

  norm: type

  @nn.compact
  def __call__(self, x):
    train = self.is_mutable_collection("batch_stats")
    x = nn.Dense(4)(x)
    self.sow("cache", "x", x)
    x = self.norm(use_running_average=not train, name="first")(x)
    x = nn.Dense(4)(nn.relu(x))
    return self.norm(use_running_average=not train, name="second")(x)


@pytest.mark.parametrize("kind", [nn.BatchNorm, BatchNorm])
def test_a_model_that_trains_where_statistics_may_change(kind):
  model = ByMutability(kind)
  result, want = run(model)
  apply(model, result, want)
  assert not result.refused
  result = fold(model, with_statistics(model, X), X, mutable=["batch_stats"])
  assert all("normalizes by the batch" in r for r in result.refused.values())
  assert set(result.refused) == {("first",), ("second",)}


def test_what_a_model_writes():
  model = ByMutability(BatchNorm)
  variables = with_statistics(model, X)
  result = fold(model, variables, X, mutable=["cache"])
  assert set(result.refused) == {("first",)}
  want, wrote = model.apply(variables, X, mutable=["cache"])
  y, updates = apply_folded(model, result, X, mutable=["cache"])
  assert_close(y, want)
  np.testing.assert_array_equal(updates["cache"]["x"], wrote["cache"]["x"])


class Net(nn.Module):
  @nn.compact
  def __call__(self, x):
    x = jnp.tanh(norm(name="norm")(nn.Dense(4, use_bias=False)(x)))
    return nn.Dense(1)(x).sum()


def derivatives(kind):
  def call(net, x):
    energy = lambda x: net(x)
    match kind:
      case "forces":
        return jax.grad(energy)(x)
      case "energy and forces":
        value, slope = jax.value_and_grad(energy)(x)
        return value + slope
      case "twice":
        return energy(x) + jax.grad(energy)(x)
      case "forward":
        return jax.jvp(energy, (x,), (x,))[1]
      case "hessian":
        return jax.hessian(energy)(x)
      case "reverse over reverse":
        return jax.grad(lambda x: (jax.grad(energy)(x) ** 2).sum())(x)
      case "rows":
        return jax.vmap(jax.grad(energy))(x)

  return call


@pytest.mark.parametrize(
  "kind",
  [
    "forces",
    "energy and forces",
    "twice",
    "forward",
    "hessian",
    "reverse over reverse",
    "rows",
  ],
)
def test_derivatives_by_the_input(kind):
  model, call = Net(), derivatives(kind)
  result, want = run(model, call=call)
  assert not result.refused, result.refused
  apply(model, result, want, call=call)


def test_derivatives_by_the_parameters_are_refused():
  class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
      net = Net(name="net")
      slope, _ = nn.vjp(lambda net, x: net(x), net, x)
      _, pull = nn.vjp(lambda net, x: net(x), net, x)
      return slope + sum(p.sum() for p in jax.tree.leaves(pull(1.0)[0]))

  model = Model()
  result, want = run(model)
  apply(model, result, want)
  assert "used outside" in result.refused[("net", "norm")]


def test_one_pair_used_twice_folds():
  class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
      dense, last = nn.Dense(3), norm()
      return last(dense(nn.relu(last(dense(x)))))

  model = Model()
  result, want = run(model)
  apply(model, result, want)
  assert not result.refused


Jitted = nn.jit(Net)


def test_nn_jit_that_has_run_before():
  """It keeps what it has traced: with the norm, without it, or opaque."""

  class Model(nn.Module):
    @nn.compact
    def __call__(self, x):
      return Jitted(name="net")(x)

  model = Model()
  variables = with_statistics(model, X)
  before = model.apply(variables, X)
  result = fold(model, variables, X)
  assert not result.refused
  jaxpr = jax.make_jaxpr(lambda x: apply_folded(model, result, x))(X)
  assert "rsqrt" not in str(jaxpr)
  np.testing.assert_array_equal(model.apply(variables, X), before)
  apply(model, result, before)
  np.testing.assert_array_equal(model.apply(variables, X), before)


def test_what_is_wrong_is_said():
  model = nn.Sequential([nn.Dense(4), norm()])
  variables = with_statistics(model, X)
  with pytest.raises(ValueError, match="no batch_stats"):
    fold(model, {"params": variables["params"]}, X)
  with pytest.raises(TypeError, match="kernels must be module classes"):
    fold(model, variables, X, kernels=nn.Dense(3))
  with pytest.raises(TypeError, match=r"call=.*model\(batch\[0\]\)"):
    fold(model, variables, (X, X[:, 0]))
  assert not fold(model, variables, X, kernels=nn.Dense).refused
