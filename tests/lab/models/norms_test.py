"""Every entry of NORMS: trains, keeps statistics, infers, heeds masks."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.models.layers import normalize
from bnjax.lab.models.norms import FROZEN
from bnjax.lab.registry import parameters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 12)).astype(np.float32)
LABELS = RNG.integers(0, 3, 16)
MASK = np.arange(16) < 13
FOR_MLP = sorted(NORMS.keys() - {"instance_norm"})
RUNNING = [
  "batch_norm",
  "batch_renorm",
  "evonorm_b0",
  "flax_batch_norm",
  "ghost_batch_norm",
  "iter_norm",
  "l1_batch_norm",
  "lp_batch_norm",
  "noisy_batch_norm",
  "torch_batch_norm",
  "whitening",
]


@pytest.mark.parametrize("name", FOR_MLP)
def test_every_norm_trains_seeds_at_once(name):
  fused = name.startswith(("evonorm", "filter_response"))
  model = mlp(
    num_classes=3,
    norm=NORMS[name],
    width=8,
    depth=1,
    activation="identity" if fused else "relu",
  )

  def loss(params, stats, mask):
    logits, updates = model.apply(
      {"params": params, "batch_stats": stats},
      X,
      train=True,
      mask=mask,
      mutable=["batch_stats"],
      rngs={"noise": jax.random.key(5)},
    )
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, LABELS)
    weights = jnp.ones(16) if mask is None else mask
    return (losses * weights).sum(), updates.get("batch_stats", {})

  def run(key):
    variables = model.init(key, X[:2], train=False)
    params, stats = variables["params"], variables.get("batch_stats", {})
    results = []
    for mask in (None, jnp.asarray(MASK)):
      gradient = jax.value_and_grad(loss, has_aux=True)
      (value, stats), grads = gradient(params, stats, mask)
      results.append((value, grads))
      params = jax.tree.map(lambda p, g: p - 1e-3 * g, params, grads)
    after = {"params": params, "batch_stats": stats}
    logits = model.apply(after, X, train=False)
    alone = model.apply(after, X[3:4], train=False)
    return results, logits, alone, variables, after

  keys = jax.random.split(jax.random.key(0), 2)
  results, logits, alone, before, after = jax.jit(jax.vmap(run))(keys)
  for value, grads in results:
    assert np.isfinite(value).all()
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
      assert np.isfinite(leaf).all(), path
      assert np.any(leaf) or "bias" in jax.tree_util.keystr(path), path
  assert results[1][0].mean() != results[0][0].mean()
  # In inference the other examples do not matter.
  np.testing.assert_allclose(logits[:, 3:4], alone, rtol=1e-3, atol=1e-4)
  old = jax.tree.leaves(before.get("batch_stats", {}))
  new = jax.tree.leaves(after["batch_stats"])
  assert bool(new) is (name in RUNNING or name == FROZEN)
  for a, b in zip(old, new, strict=True):
    assert bool(np.any(a != b)) is (name != FROZEN)


@pytest.mark.parametrize("name", FOR_MLP)
def test_masked_rows_count_for_nothing(name):
  arguments = {
    "ghost_batch_norm": {"ghost_groups": 1},
    "noisy_batch_norm": {"jitter": 0.0},  # Drawn for each row.
    "whitening": {"group_size": 4},  # 13 rows nearly span 12 features.
  }
  norm = functools.partial(NORMS[name], **arguments.get(name, {}))
  variables, call = _layer(norm, X)
  poisoned = np.where(MASK[:, None], X, np.float32(1e6))
  y, stats = call(variables, poisoned, MASK)
  expected, kept = call(variables, X[:13])
  np.testing.assert_allclose(y[:13], expected, rtol=1e-3, atol=1e-4)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    stats,
    kept,
  )


def _layer(norm, x):
  class Layer(nn.Module):
    @nn.compact
    def __call__(self, x, train, mask=None):
      return normalize(norm, x, train=train, mask=mask, name="norm")

  layer = Layer()

  def call(variables, x, mask=None, train=True):
    return layer.apply(
      variables,
      x,
      train,
      mask,
      mutable=["batch_stats"],
      rngs={"noise": jax.random.key(1)},
    )

  return layer.init(jax.random.key(0), x, False), call


def test_renorm_is_batch_norm_until_it_starts():
  options = {"renorm_start": 2, "r_end": 3, "d_end": 3}
  variables, call = _layer(
    functools.partial(NORMS["batch_renorm"], **options), X
  )
  other, plain = _layer(NORMS["batch_norm"], X)
  stats, others = variables["batch_stats"], other["batch_stats"]
  for step in range(4):
    params = {"params": variables["params"]}
    y, new = call({**params, "batch_stats": stats}, X)
    want, others_new = plain({**params, "batch_stats": others}, X)
    assert stats["norm"]["step"] == step
    if step < 3:
      np.testing.assert_allclose(y, want, rtol=1e-5, atol=1e-5)
    else:
      by_running, _ = call({**params, "batch_stats": stats}, X, train=False)
      np.testing.assert_allclose(y, by_running, rtol=1e-4, atol=1e-4)
    stats, others = new["batch_stats"], others_new["batch_stats"]
    np.testing.assert_allclose(stats["norm"]["var"], others["norm"]["var"])


@pytest.mark.parametrize("name", NORMS)
def test_a_config_sets_what_is_listed_and_nothing_else(name):
  """What a model adds, `name` and `dtype`, is not an argument of the group."""
  listed = {*parameters(NORMS[name])}
  assert listed <= {
    "d_end", "d_max", "decay", "derivative", "dose", "epsilon", "freeze_start",
    "ghost_groups", "group_size", "groups", "jitter", "newton_steps", "p",
    "r_end", "r_max", "renorm_start", "stretch",
  }  # fmt: skip
  assert ("decay" in listed) is (name in RUNNING)


def test_any_module_may_be_the_norm():
  """Of Flax, with a dtype of its own, or one that has no dtype at all."""

  class Half(nn.Module):
    @nn.compact
    def __call__(self, x, use_running_average=None, *, mask=None):
      return jnp.float32(0.5) * x.astype(jnp.float32)

  half = X.astype(jnp.bfloat16)
  for norm in (Half, nn.BatchNorm, functools.partial(nn.BatchNorm, dtype=None)):
    variables, call = _layer(norm, half)
    assert call(variables, half)[0].dtype == jnp.bfloat16
  y, _ = _layer(None, X)[1]({}, X)
  np.testing.assert_array_equal(y, X)


@pytest.mark.parametrize(
  ("name", "arguments", "message"),
  [
    ("instance_norm", {}, "norm: InstanceNorm: One number has no variance"),
    ("group_norm", {"groups": 5}, "norm: GroupNorm: num_groups=5 does not div"),
    ("evonorm_s0", {"groups": 0}, "norm: EvoNormS0: num_groups=0 does not div"),
    (
      "ghost_batch_norm",
      {"ghost_groups": 3},
      "norm: GhostB.*: 3 groups do not",
    ),
    ("feature_norm", {"derivative": "post"}, r"norm\.derivative: 'post'"),
    ("batch_renorm", {"r_end": 1}, r"norm\.renorm_start: 5000 must come"),
  ],
)
def test_what_is_wrong_is_named(name, arguments, message):
  norm = functools.partial(NORMS[name], **arguments)

  def build_and_train():
    variables, call = _layer(norm, X)
    call(variables, X)

  with pytest.raises(UserError, match=message):
    build_and_train()
