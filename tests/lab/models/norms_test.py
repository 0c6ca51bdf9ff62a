"""Every entry of NORMS: trains, keeps statistics, infers, heeds masks."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax import ops
from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.models.example_norms import largest_divisor

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
  "whitening",
]


@pytest.mark.parametrize("placement", ["before", "after"])
@pytest.mark.parametrize("name", FOR_MLP)
def test_every_norm_trains_seeds_at_once(name, placement):
  fused = name.startswith(("evonorm", "filter_response"))
  model = mlp(
    num_classes=3,
    norm=NORMS[name](),
    width=8,
    depth=1,
    activation="identity" if fused else "relu",
    placement=placement,
  )

  def loss(params, stats, mask):
    logits, updates = model.apply(
      {"params": params, "batch_stats": stats},
      X,
      train=True,
      mask=mask,
      mutable=["batch_stats"],
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
  kept = name in RUNNING
  assert bool(jax.tree.leaves(after["batch_stats"])) is kept
  if kept:
    old, new = (jax.tree.leaves(v["batch_stats"]) for v in (before, after))
    assert all(np.any(a != b) for a, b in zip(old, new, strict=True))


@pytest.mark.parametrize("name", FOR_MLP)
def test_masked_rows_count_for_nothing(name):
  arguments = {
    "ghost_batch_norm": {"ghost_groups": 1},
    "whitening": {"group_size": 4},  # 13 rows nearly span 12 features.
  }
  norm = NORMS[name](**arguments.get(name, {}))
  variables, call = _layer(norm, X)
  poisoned = np.where(MASK[:, None], X, np.float32(1e6))
  y, stats = call(variables, poisoned, MASK[:, None])
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
      return norm(x, train=train, mask=mask, name="norm")

  layer = Layer()

  def call(variables, x, mask=None, train=True):
    return layer.apply(variables, x, train, mask, mutable=["batch_stats"])

  return layer.init(jax.random.key(0), x, False), call


@pytest.mark.parametrize(
  ("name", "peer"),
  [
    ("layer_norm", nn.LayerNorm()),
    ("group_norm", nn.GroupNorm(num_groups=4)),
    ("instance_norm", nn.InstanceNorm()),
    ("rms_norm", nn.RMSNorm()),
  ],
)
def test_flax_checkpoints_load(name, peer):
  x = RNG.normal(2, 3, size=(4, 5, 5, 8)).astype(np.float32)
  theirs = peer.init(jax.random.key(0), x)["params"]
  variables, call = _layer(NORMS[name](), x)
  shapes = jax.tree.map(jnp.shape, variables["params"])
  assert shapes == {"norm": jax.tree.map(jnp.shape, theirs)}
  theirs = jax.tree.map(lambda p: p + jnp.arange(8.0), theirs)
  y, _ = call({"params": {"norm": theirs}}, x)
  np.testing.assert_allclose(
    y, peer.apply({"params": theirs}, x), rtol=1e-4, atol=1e-4
  )


def test_renorm_is_batch_norm_until_it_starts():
  options = {"renorm_start": 2, "r_end": 3, "d_end": 3}
  variables, call = _layer(NORMS["batch_renorm"](**options), X)
  other, plain = _layer(NORMS["batch_norm"](), X)
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


@pytest.mark.parametrize("name", RUNNING)
def test_running_statistics_become_those_of_the_batch(name):
  """One equal batch again and again: inference comes to equal training."""
  arguments = {"decay": 0.5}
  if name == "ghost_batch_norm":
    arguments["ghost_groups"] = 1
  variables, call = _layer(NORMS[name](**arguments), X)
  step = jax.jit(lambda v: call(v, X))
  for _ in range(30):
    y, updates = step(variables)
    variables = {**variables, **updates}
  y, _ = step(variables)
  inferred, _ = call(variables, X, train=False)
  np.testing.assert_allclose(inferred, y, rtol=1e-3, atol=1e-3)


def test_filter_response_norm_learns_epsilon_where_there_is_no_space():
  norm = NORMS["filter_response_norm"]()
  flat, _ = _layer(norm, X)
  assert flat["params"]["norm"]["learned_epsilon"] == np.float32(1e-4)
  space, _ = _layer(norm, X.reshape(4, 2, 2, 12))
  assert "learned_epsilon" not in space["params"]["norm"]


def test_group_sizes_follow_the_features():
  assert [largest_divisor(n, 32) for n in (256, 100, 10, 7, 1)] == [
    32, 25, 10, 7, 1,
  ]  # fmt: skip
  variables, _ = _layer(NORMS["whitening"](), X)
  assert variables["batch_stats"]["norm"]["cov"].shape == (1, 12, 12)
  variables, _ = _layer(NORMS["iter_norm"](group_size=5), X)
  assert variables["batch_stats"]["norm"]["cov"].shape == (3, 4, 4)
  y, _ = _layer(NORMS["group_norm"](), X)[1](
    {"params": {"norm": {"scale": jnp.ones(12), "bias": jnp.zeros(12)}}}, X
  )
  np.testing.assert_allclose(
    y, ops.group_norm(X, groups=6), rtol=1e-5, atol=1e-5
  )


@pytest.mark.parametrize(
  ("name", "arguments", "message"),
  [
    ("instance_norm", {}, r"norm\.name: 'instance_norm' averages over space"),
    ("group_norm", {"groups": 5}, r"norm\.groups: 5 does not divide the 12"),
    ("evonorm_s0", {"groups": 0}, r"norm\.groups: 0 does not divide the 12"),
    ("ghost_batch_norm", {"ghost_groups": 3}, r"norm\.ghost_groups: 3 does"),
    ("batch_renorm", {"r_end": 1}, r"norm\.renorm_start: 5000 must come"),
    ("whitening", {"group_size": 0}, r"norm\.group_size: 0 must be"),
  ],
)
def test_what_is_wrong_is_named(name, arguments, message):
  norm = NORMS[name](**arguments)

  def build_and_train():
    variables, call = _layer(norm, X)
    call(variables, X)

  with pytest.raises(UserError, match=message):
    build_and_train()
