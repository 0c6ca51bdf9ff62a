"""Explicit meshes, the default of `jax.make_mesh`: one device's values.

Whatever the batch is sharded over, each op gives what it gives on one device,
and its output is sharded as the input is.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from flax import linen as nn, nnx as flax_nnx
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from bnjax import linen, nnx, ops

X = references.batch((12, 4, 8, 8), 3.0, 2.0)  # 3 rows to one of 4 devices
SCALE, BIAS = references.affine(8)
WEIGHT = references.batch(X.shape, seed=2)
MASK = np.random.default_rng(3).uniform(size=X.shape) < 0.7
RUNNING = ops.Running(BIAS, SCALE, np.zeros_like(BIAS))


def without_rest(y, running):
  # The rest is what float32 has no digits for: rounding.
  return y, running._replace(rest=jnp.zeros(()))


OPS = {
  "batch_norm": lambda x, s, b, m: ops.batch_norm(x, s, b, mask=m),
  "features first": lambda x, s, b, m: ops.batch_norm(
    x, mask=m, feature_axes=(0, 2), activation="relu"
  ),
  "moments": lambda x, s, b, m: (x, ops.batch_moments(x, mask=m)),
  "apply": lambda x, s, b, m: without_rest(
    *ops.apply_batch_norm(x, s, b, RUNNING, rule=ops.ema(0.9), mask=m)
  ),
  "inference": lambda x, s, b, m: (ops.normalize(x, b, s, s, b), ()),
  "layer": lambda x, s, b, m: (ops.layer_norm(x, s, b, mask=m), ()),
  "group": lambda x, s, b, m: (ops.group_norm(x, s, b, groups=2, mask=m), ()),
  "instance": lambda x, s, b, m: (ops.instance_norm(x, s, b, mask=m), ()),
  "rms": lambda x, s, b, m: (ops.rms_norm(x, s, mask=m), ()),
  "filter": lambda x, s, b, m: (
    ops.filter_response_norm(x, s, b, b, mask=m),
    (),
  ),
  "renorm": lambda x, s, b, m: without_rest(
    *ops.batch_renorm(x, s, b, RUNNING, rule=ops.ema(0.9), mask=m)
  ),
  "l1": lambda x, s, b, m: ops.l1_batch_norm(x, s, b, mask=m),
  "max": lambda x, s, b, m: ops.lp_batch_norm(x, s, b, p=np.inf, mask=m),
  "noisy": lambda x, s, b, m: ops.noisy_batch_norm(
    x, s, b, mask=m, key=jax.random.key(0)
  ),
  "evonorm_b0": lambda x, s, b, m: ops.evonorm_b0(x, s, s, b, mask=m),
  "evonorm_s0": lambda x, s, b, m: (
    ops.evonorm_s0(x, s, s, b, groups=2, mask=m),
    (),
  ),
  "ghost": lambda x, s, b, m: ops.ghost_batch_norm(x, s, b, groups=2, mask=m),
  "odd ghosts": lambda x, s, b, m: ops.ghost_batch_norm(
    x, s, b, groups=3, mask=m
  ),
  "kernel": lambda x, s, b, m: (ops.standardize_kernel(x, s), ()),
}
ROWS = {  # Masks of these must not differ between features.
  "whiten": lambda x, s, b, m: ops.whiten(x, s, b, groups=2, mask=m),
  "iter_norm": lambda x, s, b, m: ops.iter_norm(x, s, b, groups=4, mask=m),
}
SPECS = {
  "batch": P("d"),
  "height": P(None, "d"),
  "both": P("d", None, "f"),
  "features": P(None, None, None, "d"),
  "batch x features": P("f", None, None, "d"),
}


def mesh(kind=AxisType.Explicit):
  return jax.make_mesh((4, 2), ("d", "f"), axis_types=(kind,) * 2)


def put(a, spec, kind=AxisType.Explicit):
  return jax.device_put(a, NamedSharding(mesh(kind), spec))


def step(op, weight, x, scale, bias, mask):
  def loss(x, scale, bias):
    y, aux = op(x, scale, bias, mask)
    return (y * weight).sum(), (y, aux)

  step = jax.value_and_grad(loss, (0, 1, 2), has_aux=True)
  (_, aux), gradients = step(x, scale, bias)
  return aux, gradients


def assert_same(actual, expected, tolerance=1e-5):
  assert jax.tree.structure(actual) == jax.tree.structure(expected)
  for one, other in zip(*map(jax.tree.leaves, (actual, expected)), strict=True):
    assert one.shape == other.shape
    scale = float(np.abs(other).max(initial=1e-3))
    np.testing.assert_allclose(one, other, tolerance, tolerance * scale)


def spec_of(x):
  return jax.typeof(x).sharding.spec


@pytest.mark.parametrize("name", [*OPS, *ROWS])
def test_ops(name):
  op = {**OPS, **ROWS}[name]
  mask = MASK[..., :1] if name in ROWS else MASK
  run = jax.jit(partial(step, op))
  expected = run(WEIGHT, X, SCALE, BIAS, mask)
  every = name == "batch_norm"
  for spec in SPECS.values() if every else (P("d"), P("f", None, None, "d")):
    x, weight = put(X, spec), put(WEIGHT, spec)
    rows = P(*spec[:3]) if name in ROWS else spec
    for sharded in (put(mask, rows), mask):  # as x is, or on one device
      actual = run(weight, x, SCALE, BIAS, sharded)
      assert_same(actual, expected)
      assert spec_of(actual[0][0]) == spec_of(x)
      assert spec_of(actual[1][0]) == spec_of(x)
      if not every:
        break


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_eager(spec):
  expected = step(OPS["batch_norm"], WEIGHT, X, SCALE, BIAS, None)
  with jax.set_mesh(mesh()):
    x, weight = put(X, spec), put(WEIGHT, spec)
    scale, bias = put(SCALE, P()), put(BIAS, P())
    actual = step(OPS["batch_norm"], weight, x, scale, bias, None)
    assert_same(actual, expected)
  assert_same(ops.batch_norm(x, SCALE, BIAS), expected[0])  # and without


@pytest.mark.parametrize("rows", [4, 100, 52])
def test_any_batch_size(rows):
  x = references.batch((rows, 8), 1e4)
  y, moments = jax.jit(ops.batch_norm)(put(x, P("d")))
  assert_same((y, moments), ops.batch_norm(x), 1e-4 if rows == 4 else 2e-5)


def test_mask_of_features_of_which_a_shard_has_one():
  x, mask = X[:, 0, 0, :4], MASK[:, 0, 0, :4]
  run = jax.jit(lambda x, mask: ops.batch_moments(x, mask=mask))
  actual = run(put(x, P(None, "d")), put(mask, P(None, "d")))
  assert_same(actual, run(x, mask))


def test_vectors_keep_or_take_the_shards_of_x():
  expected = OPS["apply"](X, SCALE, BIAS, None)
  for spec in (P(), P("d"), P("f")):  # whatever x is sharded over
    x, scale = put(X, P("d")), put(SCALE, spec)
    y, running = jax.jit(
      lambda x, s, r: ops.apply_batch_norm(x, s, BIAS, r, rule=ops.ema(0.9))
    )(x, scale, put(RUNNING, spec))
    assert_same(without_rest(y, running), expected)
    assert spec_of(y) == spec_of(x)
    assert {spec_of(a) for a in running} == {spec_of(scale)}


MODES = {
  "jvp": lambda f, x: jax.jvp(f, (x,), (x * x,)),
  "second order": lambda f, x: jax.jvp(
    jax.grad(lambda x: jnp.sin(f(x)).sum()), (x,), (x * x,)
  ),
  "vmap": lambda f, x: jax.vmap(f)(x),
  "scan": lambda f, x: jax.lax.scan(
    lambda c, _: (f(c) * 2 + 1, None), x, None, length=2
  )[0],
  "bfloat16": lambda f, x: f(x.astype(jnp.bfloat16)).astype(jnp.float32),
}


@pytest.mark.parametrize("name", MODES)
def test_modes(name):
  mode = jax.jit(partial(MODES[name], lambda x: ops.batch_norm(x)[0]))
  x = X.reshape(12, 32, 8)
  for spec in (P("d", None, "f"), P("f", "d")):
    with jax.set_mesh(mesh()):
      actual = mode(put(x, spec))
    assert_same(actual, mode(x), 1e-2 if name == "bfloat16" else 1e-5)
    assert spec_of(jax.tree.leaves(actual)[0]) == spec_of(put(x, spec))


def test_vmap_with_a_name():
  run = jax.jit(jax.vmap(lambda x: ops.batch_norm(x, axis_name="v")[0],
                         axis_name="v"))  # fmt: skip
  assert_same(run(put(X, P(None, "d"))), run(X))


@pytest.mark.parametrize("groups", [None, [[0, 1], [2, 3]]])
def test_partly_manual(groups):
  """Outside, `shard_map` over d; inside, f is explicit."""
  op = lambda x: ops.batch_norm(x, axis_name="d", axis_index_groups=groups)[0]
  run = jax.jit(
    jax.shard_map(op, in_specs=P("d"), out_specs=P("d"), axis_names={"d"})
  )
  halves = np.split(X, 1 if groups is None else 2)
  expected = np.concatenate([ops.batch_norm(x)[0] for x in halves])
  with jax.set_mesh(mesh()):
    for spec in (P("d", "f"), P("d", None, None, "f")):
      assert_same(run(put(X, spec)), expected)


def collectives(function, *args):
  text = jax.jit(function).lower(*args).compile().as_text()
  return re.findall(r" (all-\w+|reduce-scatter|collective-permute)\(", text)


@pytest.mark.parametrize("spec", [P("d"), P(None, "d"), P(("d", "f"))])
def test_one_collective_each_way(spec):
  x = X[:8]
  with jax.set_mesh(mesh()):
    args = put(x, spec), put(SCALE, P()), put(MASK[:8, ..., :1], spec)
    norm = lambda x, scale, mask: ops.batch_norm(x, scale, scale, mask=mask)[0]
    assert collectives(norm, *args) == ["all-reduce"]
    both = lambda x, scale, mask, ct: jax.vjp(norm, x, scale, mask)[1](ct)[:2]
    ct = put(WEIGHT[:8], spec)
    assert collectives(both, *args, ct) == ["all-reduce"] * 2


@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto])
@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_modules_beside_flax(spec, kind):
  stats = {"mean": BIAS, "var": SCALE}
  variables = {"params": {"scale": SCALE, "bias": BIAS}, "batch_stats": stats}

  def run_linen(cls, x, train):
    norm = cls(use_running_average=not train, momentum=0.9)
    y, new = norm.apply(variables, x, mutable=["batch_stats"])
    return y, new.get("batch_stats", stats)

  def run_nnx(cls, x, train):
    norm = cls(8, momentum=0.9, rngs=flax_nnx.Rngs(0))
    norm.set_attributes(use_running_average=not train)
    y = norm(x)
    return y, {"mean": norm.mean[...], "var": norm.var[...]}

  x = put(X, spec, kind)
  for run, ours, theirs in (
    (run_linen, linen.BatchNorm, nn.BatchNorm),
    (run_nnx, nnx.BatchNorm, flax_nnx.BatchNorm),
  ):
    for train in (True, False):
      y, new = jax.jit(partial(run, ours, train=train))(x)
      expected = jax.jit(partial(run, theirs, train=train))(x)
      assert_same((y, new), expected)
      assert spec_of(y) == spec_of(expected[0])


def test_groups_of_a_layer():
  norm = linen.BatchNorm(False, groups=3)
  variables = norm.init(jax.random.key(0), X)
  run = jax.jit(lambda x: norm.apply(variables, x, mutable=["batch_stats"]))
  assert_same(run(put(X, P("d", None, None, "f"))), run(X))
