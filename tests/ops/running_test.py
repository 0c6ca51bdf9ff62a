"""Running statistics: closed forms, other libraries, and empty batches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax import ops
from bnjax.ops import PRESETS, cumulative, debiased_ema, ema

RNG = np.random.default_rng(0)
BATCHES = [
  np.asarray(RNG.normal(i, 1 + i, size=(n, 3)), np.float32)
  for i, n in enumerate([8, 8, 5, 2, 8])
]


def run(rule, batches=BATCHES, running=None):
  running = ops.init_running(3) if running is None else running
  for batch in batches:
    moments = ops.batch_moments(jnp.asarray(batch))
    running = ops.update_running(running, moments, rule)
  return running


def assert_running(running, mean, var):
  np.testing.assert_allclose(running.mean, mean, rtol=2e-6, atol=2e-6)
  np.testing.assert_allclose(running.var, var, rtol=2e-6)


def each(ddof=0):
  wide = [batch.astype(np.float64) for batch in BATCHES]
  return [b.mean(0) for b in wide], [b.var(0, ddof=ddof) for b in wide]


@pytest.mark.parametrize("unbiased", [False, True])
def test_ema_in_closed_form(unbiased):
  means, variances = each(ddof=int(unbiased))
  n, d = len(BATCHES), 0.8
  weights = [(1 - d) * d ** (n - 1 - i) for i in range(n)]
  mean = sum(w * v for w, v in zip(weights, means, strict=True))
  var = d**n + sum(w * v for w, v in zip(weights, variances, strict=True))
  running = run(ema(d, unbiased=unbiased))
  assert_running(running, mean, var)
  np.testing.assert_allclose(running.weight, 1 - d**n, rtol=1e-6)


def test_debiased_ema_in_closed_form():
  means, variances = each()
  n, d = len(BATCHES), 0.8
  weights = np.array([(1 - d) * d ** (n - 1 - i) for i in range(n)])
  weights /= 1 - d**n
  assert_running(
    run(debiased_ema(d)), weights @ np.array(means), weights @ variances
  )


@pytest.mark.parametrize(
  "rule", [debiased_ema(0.99), debiased_ema(0.0), cumulative()]
)
def test_average_of_equal_batches_is_that_batch_at_every_step(rule):
  """Equinox 0.13.8 is 99.25 instead of 0.252 after the first (PEERS' D4)."""
  x = np.float32(0.5) * np.array([[-1.0, 0.1, 3], [1, 0.3, 3]], np.float32)
  moments = ops.batch_moments(jnp.asarray(x))

  def step(running, _):
    running = ops.update_running(running, moments, rule)
    return running, running

  _, history = jax.lax.scan(step, ops.init_running(3), length=1000)
  for name in ("mean", "var"):
    value = getattr(moments, name)
    every = np.broadcast_to(value, (1000, 3))
    np.testing.assert_array_equal(getattr(history, name), every)


@pytest.mark.parametrize("unbiased", [False, True])
def test_cumulative_weighs_every_batch_alike(unbiased):
  means, variances = each(ddof=int(unbiased))
  running = run(cumulative(unbiased=unbiased))
  assert_running(running, np.mean(means, 0), np.mean(variances, 0))


@pytest.mark.parametrize("unbiased", [False, True])
def test_cumulative_by_count_is_the_pooled_moments(unbiased):
  every = np.concatenate(BATCHES).astype(np.float64)
  running = run(cumulative(weighting="count", unbiased=unbiased))
  assert_running(running, every.mean(0), every.var(0, ddof=int(unbiased)))
  np.testing.assert_array_equal(running.weight, len(every))


@pytest.mark.parametrize("momentum", [0.1, None])
def test_agrees_with_torch(momentum):
  torch = pytest.importorskip("torch")
  norm = torch.nn.BatchNorm1d(3, momentum=momentum)
  for batch in BATCHES:
    norm(torch.tensor(batch))
  name = "pytorch" if momentum else "pytorch_cumulative"
  running = run(PRESETS[name].rule)
  assert_running(running, norm.running_mean.numpy(), norm.running_var.numpy())
  assert PRESETS[name].epsilon == norm.eps


def test_agrees_with_flax():
  norm = nn.BatchNorm(use_running_average=False, use_fast_variance=False)
  variables = norm.init(jax.random.key(0), BATCHES[0])
  for batch in BATCHES:
    _, state = norm.apply(variables, batch, mutable=["batch_stats"])
    variables = {**variables, **state}
  stats = variables["batch_stats"]
  assert_running(run(PRESETS["flax"].rule), stats["mean"], stats["var"])
  assert PRESETS["flax"].epsilon == norm.epsilon


def test_paper_preset_is_algorithm_2():
  means, variances = each(ddof=1)
  running = run(PRESETS["paper"].rule)
  assert_running(running, np.mean(means, 0), np.mean(variances, 0))


EVERY_RULE = [
  rule(*decay, unbiased=unbiased)
  for unbiased in (False, True)
  for rule, decay in ((ema, (0.9,)), (debiased_ema, (0.9,)), (cumulative, ()))
] + [cumulative(weighting="count", unbiased=u) for u in (False, True)]


@pytest.mark.parametrize("rule", EVERY_RULE)
@pytest.mark.parametrize("before", [0, 2])
def test_empty_batch_changes_nothing(rule, before):
  running = run(rule, BATCHES[:before])
  x = jnp.full((4, 3), jnp.nan)
  empty = ops.batch_moments(x, mask=jnp.zeros((4, 1), bool))
  after = jax.jit(ops.update_running)(running, empty, rule)
  jax.tree.map(np.testing.assert_array_equal, after, running)


@pytest.mark.parametrize("rule", EVERY_RULE)
def test_empty_feature_changes_nothing_of_itself(rule):
  running = run(rule, BATCHES[:2])
  mask = np.ones((8, 3), bool)
  mask[:, 1] = False
  moments = ops.batch_moments(jnp.asarray(BATCHES[4]), mask=jnp.asarray(mask))
  after = ops.update_running(running, moments, rule)
  whole = run(rule, [BATCHES[4]], running)
  for got, old, new in zip(after, running, whole, strict=True):
    np.testing.assert_array_equal(got[1], old[1])
    others = np.array([0, 2])
    np.testing.assert_allclose(got[others], new[others], rtol=5e-7)


def test_decay_may_be_traced_scheduled_and_vmapped():
  def last(decay):
    return run(debiased_ema(decay)).mean

  decays = jnp.array([0.0, 0.5, 0.9])
  got = jax.jit(jax.vmap(last))(decays)
  want = [last(float(decay)) for decay in decays]
  np.testing.assert_allclose(got, jnp.stack(want), rtol=1e-6, atol=1e-6)
  np.testing.assert_allclose(got[0], BATCHES[-1].mean(0), rtol=3e-7)


def test_decay_of_one_changes_nothing_and_is_finite():
  for rule in (ema(1.0), debiased_ema(1.0)):
    jax.tree.map(np.testing.assert_array_equal, run(rule), ops.init_running(3))


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_state_is_float32_for_narrow_inputs(dtype):
  x = jnp.asarray(300 + BATCHES[0], dtype)
  with jax.numpy_dtype_promotion("strict"):
    moments = ops.Moments(
      jnp.float32(8), x.astype(jnp.float32).mean(0), jnp.ones(3)
    )
    running = ops.init_running(3)
    running = ops.update_running(running, moments, debiased_ema(0.9))
    narrow = ops.init_running(3, dtype=dtype)
    narrow = ops.update_running(narrow, moments, ema(jnp.float32(0.9)))
  assert {v.dtype for v in running} == {jnp.dtype("float32")}
  assert {v.dtype for v in narrow} == {jnp.dtype(dtype)}
  np.testing.assert_array_equal(running.mean, x.astype(jnp.float32).mean(0))


def test_microbatches_are_committed_once():
  x = jnp.asarray(np.concatenate(BATCHES)[:30].reshape(6, 5, 3))

  def accumulate(total, microbatch):
    return ops.merge_moments(total, ops.batch_moments(microbatch)), None

  moments, _ = jax.lax.scan(accumulate, ops.empty_moments(3), x)
  got = ops.update_running(ops.init_running(3), moments, ema(0.9))
  want = run(ema(0.9), [x.reshape(30, 3)])
  assert_running(got, want.mean, want.var)


def test_errors():
  moments = ops.batch_moments(jnp.ones((2, 4)))
  with pytest.raises(ValueError, match="must have the shape"):
    ops.update_running(ops.init_running(3), moments, ema(0.9))
  with pytest.raises(ValueError, match="decay must lie in"):
    ema(-0.1)
  with pytest.raises(ValueError, match="weighting"):
    cumulative(weighting="rows")
