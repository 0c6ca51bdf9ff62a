"""Recalibration of broken statistics, and of models that are not plain."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.linen import BatchNorm
from bnjax.tools import recalibrate

X = np.float32(np.random.default_rng(0).normal(3, 2, size=(16, 4)))
BATCHES = [X[:6], X[6:]]


def stats_of(model, batches=BATCHES, variables=None, **options):
  if variables is None:
    variables = model.init(jax.random.key(0), X)
  return recalibrate(model, variables, batches, **options)["batch_stats"]


def assert_input_is(stats, x):
  x = np.float64(x)
  np.testing.assert_allclose(stats["mean"], x.mean(0), rtol=1e-5, atol=1e-6)
  np.testing.assert_allclose(stats["var"], x.var(0), rtol=1e-5)


class Deep(nn.Module):
  norm: type

  @nn.compact
  def __call__(self, x):
    for _ in range(3):
      x = self.norm(use_running_average=True)(nn.Dense(4)(x))
    return x


@pytest.mark.parametrize("norm", [nn.BatchNorm, BatchNorm])
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 3e38, -1.0])
def test_diverged_statistics_of_every_layer_are_repaired(norm, broken):
  model = Deep(norm)
  variables = model.init(jax.random.key(0), X)
  bad = jax.tree.map(lambda v: jnp.full_like(v, broken), variables)
  bad = {**variables, "batch_stats": bad["batch_stats"]}
  assert not np.isfinite(model.apply(bad, X)).all() or broken == 3e38
  want, got = (
    stats_of(model, variables=variables),
    stats_of(model, variables=bad),
  )
  jax.tree.map(np.testing.assert_array_equal, got, want)
  assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(got))


def test_what_the_old_mean_had_no_digits_for_goes_with_it():
  model = nn.BatchNorm(use_running_average=True)
  variables = model.init(jax.random.key(0), X)
  stats = {**variables["batch_stats"], "rest": jnp.full(4, jnp.nan)}
  stats = stats_of(model, variables={**variables, "batch_stats": stats})
  assert_input_is(stats, X)
  np.testing.assert_array_equal(stats["rest"], [0, 0, 0, 0])


class Writer(nn.Module):
  """Leaves something in other collections whenever it is called."""

  @nn.compact
  def __call__(self, x):
    calls = self.variable("cache", "calls", lambda: jnp.zeros(()))
    calls.value = calls.value + 1
    self.put_variable("losses", "l2", (x**2).sum())
    self.sow("intermediates", "x", x)
    return nn.BatchNorm(use_running_average=True)(x)


@pytest.mark.parametrize("given", [True, False])
def test_a_model_that_writes_other_collections(given):
  variables = Writer().init(jax.random.key(0), X)
  if not given:
    del variables["losses"]
  result = recalibrate(Writer(), variables, BATCHES)
  assert_input_is(result["batch_stats"]["BatchNorm_0"], X)
  assert result["cache"] == variables["cache"]
  assert set(result) == set(variables)


def subclass(base):
  class NormAct(base):
    @nn.compact
    def __call__(self, x, train=False, *, slope=0.5):
      y = super().__call__(3 * x, use_running_average=not train)
      return jnp.where(y > 0, y, slope * y)

  return NormAct


@pytest.mark.parametrize("base", [nn.BatchNorm, BatchNorm])
def test_a_subclass_with_a_signature_of_its_own(base):
  class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
      y = subclass(base)(name="norm")(x, False, slope=0.25)
      return nn.BatchNorm(use_running_average=True, name="after")(y)

  stats = stats_of(Net(), [X])
  assert_input_is(stats["norm"], 3 * X)
  x = np.float64(3 * X)
  y = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
  assert_input_is(stats["after"], np.where(y > 0, y, y / 4) + 1e-12)


def test_a_subclass_that_does_it_all_itself_is_refused():
  class Own(nn.BatchNorm):
    @nn.compact
    def __call__(self, x):
      mean = self.variable("batch_stats", "mean", jnp.zeros, (4,))
      self.variable("batch_stats", "var", jnp.ones, (4,))
      return x - mean.value[None]

  with pytest.raises(ValueError, match=r"Own .* does not call BatchNorm's own"):
    stats_of(nn.Sequential([Own()]))


Jitted = nn.jit(Deep)


def test_nn_jit_that_has_run_before():
  """It would not trace again, and so not ask what recalibration does."""

  class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
      return Jitted(nn.BatchNorm, name="deep")(x)

  variables = Net().init(jax.random.key(0), X)
  run = lambda v: Net().apply(v, X, mutable=["batch_stats"])[0]
  before = run(variables)
  got = recalibrate(Net(), variables, BATCHES)
  want = stats_of(
    Deep(nn.BatchNorm),
    variables={kind: tree["deep"] for kind, tree in variables.items()},
  )
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
    got["batch_stats"]["deep"],
    want,
  )
  np.testing.assert_array_equal(run(variables), before)


def test_one_layer_scanned_over_time():
  class Step(nn.Module):
    @nn.compact
    def __call__(self, carry, x):
      return carry, nn.BatchNorm(use_running_average=True)(x)

  class Net(nn.Module):
    @nn.compact
    def __call__(self, x):  # [time, rows, features]
      scan = nn.scan(
        Step,
        variable_broadcast="params",
        variable_carry="batch_stats",
        split_rngs={"params": False},
      )
      return scan(name="step")((), x)[1]

  x = X.reshape(2, 8, 4)
  x[1] *= 3
  variables = Step().init(jax.random.key(0), (), x[0])
  variables = {kind: {"step": tree} for kind, tree in variables.items()}
  stats = recalibrate(Net(), variables, [x])["batch_stats"]
  assert_input_is(stats["step"]["BatchNorm_0"], x.reshape(16, 4))


class ByMutability(nn.Module):
  """Trains where `batch_stats` may be changed."""

  rate: float = 0.0

  @nn.compact
  def __call__(self, x):
    train = self.is_mutable_collection("batch_stats")
    x = nn.BatchNorm(use_running_average=not train)(x)
    return nn.Dropout(self.rate, deterministic=not train)(x)


def test_a_model_that_trains_where_statistics_may_change():
  assert_input_is(stats_of(ByMutability())["BatchNorm_0"], X)
  variables = ByMutability(0.5).init(
    {"params": jax.random.key(0), "dropout": jax.random.key(1)}, X
  )
  with pytest.raises(ValueError, match=r"draws random numbers.*rngs="):
    recalibrate(ByMutability(0.5), variables, BATCHES)
  rngs = {"dropout": jax.random.key(2)}
  stats = stats_of(ByMutability(0.5), variables=variables, rngs=rngs)
  assert_input_is(stats["BatchNorm_0"], X)


def test_a_model_that_differentiates_inside():
  class Forces(nn.Module):
    @nn.compact
    def __call__(self, x):
      def energy(net, x):
        return net(x).sum()

      _, pull = nn.vjp(energy, Deep(BatchNorm, name="net"), x)
      forces = pull(jnp.ones(()))[-1]
      return nn.BatchNorm(use_running_average=True, name="after")(forces + x)

  variables = Forces().init(jax.random.key(0), X)
  stats = recalibrate(Forces(), variables, BATCHES)["batch_stats"]
  alone = {kind: tree.get("net", {}) for kind, tree in variables.items()}
  want = stats_of(Deep(BatchNorm), variables=alone)
  jax.tree.map(np.testing.assert_array_equal, stats["net"], want)
  assert np.isfinite(stats["after"]["var"]).all()
  call = lambda net, x: jax.grad(lambda x: net(x).sum())(x)
  got = recalibrate(Deep(BatchNorm), alone, BATCHES, call=call)["batch_stats"]
  jax.tree.map(np.testing.assert_array_equal, got, want)
  call = lambda net, x: jax.vmap(net)(x[None])
  with pytest.raises(ValueError, match=r"inside a jax transformation.*call="):
    recalibrate(Deep(BatchNorm), alone, BATCHES, call=call)
