"""One batch over many devices: the same answer, and one collective each way.

Every test compares with the pooled batch on one device. Its mean is 1e4 times
its deviation, where sums of squares cancel.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import references
from jax import lax
from jax.sharding import AxisType, NamedSharding, PartitionSpec as P

from bnjax.ops import batch_moments, batch_norm

DEVICES, ROWS, FEATURES = 8, 6, 3
X = references.batch((DEVICES * ROWS, FEATURES), 1e4)
WEIGHT = references.batch(X.shape, seed=2)
SCALE, BIAS = references.affine(FEATURES)
# Uneven shards, one of them empty.
MASK = np.random.default_rng(3).uniform(size=(len(X), 1)) < 0.5
MASK[ROWS : 2 * ROWS] = False
MASKS = pytest.mark.parametrize("mask", [None, MASK], ids=["whole", "masked"])


@pytest.fixture(autouse=True)
def _strict():
  with jax.numpy_dtype_promotion("strict"):
    yield


def mesh(*sizes: int) -> jax.sharding.Mesh:
  names = ("i", "j")[: len(sizes)]
  return jax.make_mesh(sizes, names, axis_types=(AxisType.Auto,) * len(sizes))


def loss(x, scale, bias, weight, mask, **settings):
  y, moments = batch_norm(x, scale, bias, mask=mask, **settings)
  return jnp.sum(y * weight), (y, moments)


def pooled(mask):
  """Returns output, moments and gradients of the whole batch."""
  step = jax.value_and_grad(loss, (0, 1, 2), has_aux=True)
  (_, (y, moments)), gradients = jax.jit(step)(X, SCALE, BIAS, WEIGHT, mask)
  return y, moments, gradients


def split(array, *sizes: int):
  sizes = sizes or (DEVICES,)
  return None if array is None else array.reshape(*sizes, -1, array.shape[-1])


def assert_same(actual, expected):
  def compare(one, other):
    one = np.reshape(one, np.shape(other))
    np.testing.assert_allclose(one, other, rtol=2e-5, atol=5e-6)

  jax.tree.map(compare, actual, expected)


def collectives(function, *args) -> list[str]:
  text = jax.jit(function).lower(*args).compile().as_text()
  return re.findall(r" (all-\w+|reduce-scatter|collective-permute)\(", text)


@MASKS
@pytest.mark.parametrize("names", [("i",), ("i", "j")])
def test_vmap(names, mask):
  sizes = (8,) if len(names) == 1 else (2, 4)

  def total(x, scale, bias):
    step = partial(loss, axis_name=names[0] if len(names) == 1 else names)
    for name in reversed(names):
      step = jax.vmap(step, (0, None, None, 0, 0), axis_name=name)
    values, (y, moments) = step(
      split(x, *sizes), scale, bias, split(WEIGHT, *sizes), split(mask, *sizes)
    )
    return values.sum(), (y, jax.tree.map(lambda a: a[(0,) * len(names)],
                                          moments))  # fmt: skip

  step = jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))
  (_, (y, moments)), gradients = step(X, SCALE, BIAS)
  assert_same((y, moments, gradients), pooled(mask))


def sharded_loss(sizes, mask):
  names = ("i", "j")[: len(sizes)]
  rows = P(names)

  @partial(
    jax.shard_map,
    mesh=mesh(*sizes),
    in_specs=(rows, P(), P(), rows, rows),
    out_specs=(P(), (rows, P())),
  )
  def body(x, scale, bias, weight, mask):
    value, aux = loss(x, scale, bias, weight, mask, axis_name=names)
    return lax.psum(value, names), aux

  return lambda x, scale, bias: body(x, scale, bias, WEIGHT, mask)


@MASKS
@pytest.mark.parametrize("sizes", [(8,), (2, 4)])
def test_shard_map(sizes, mask):
  total = sharded_loss(sizes, mask)
  step = jax.jit(jax.value_and_grad(total, (0, 1, 2), has_aux=True))
  (_, (y, moments)), gradients = step(X, SCALE, BIAS)
  assert_same((y, moments, gradients), pooled(mask))


@pytest.mark.parametrize("sizes", [(8,), (2, 4)])
def test_shard_map_takes_one_collective_each_way(sizes):
  total = sharded_loss(sizes, MASK)
  assert collectives(lambda *a: total(*a)[1], X, SCALE, BIAS) == ["all-gather"]
  gradient = jax.grad(lambda *a: total(*a)[0], (0, 1, 2))
  assert collectives(gradient, X, SCALE, BIAS) == ["all-gather", "all-reduce"]
  # By construction, before XLA combines any: the other sum is the loss's own.
  program = str(jax.make_jaxpr(gradient)(X, SCALE, BIAS))
  assert program.count("= psum_invariant[") == 2


def test_shard_map_second_order():
  def through(total):
    gradient = jax.grad(lambda *args: jnp.sin(total(*args)[0] / 10), (0, 1, 2))
    return jax.jit(partial(jax.jvp, gradient))

  args = X, SCALE, BIAS
  tangents = references.batch(X.shape, seed=5), BIAS, SCALE
  whole = lambda x, scale, bias: loss(x, scale, bias, WEIGHT, None)
  actual = through(sharded_loss((8,), None))(args, tangents)
  assert_same(actual, through(whole)(args, tangents))


@MASKS
def test_pmap(mask):
  @partial(jax.pmap, axis_name="i", in_axes=(0, None, None, 0, 0))
  def step(x, scale, bias, weight, mask):
    total = partial(loss, axis_name="i")
    (_, (y, moments)), (dx, *others) = jax.value_and_grad(
      total, (0, 1, 2), has_aux=True
    )(x, scale, bias, weight, mask)
    return y, moments, (dx, *lax.psum(others, "i"))

  y, moments, (dx, *others) = step(
    split(X), SCALE, BIAS, split(WEIGHT), split(mask)
  )
  moments, others = jax.tree.map(lambda a: a[0], (moments, others))
  assert_same((y, moments, (dx, *others)), pooled(mask))


@MASKS
@pytest.mark.parametrize("kind", [AxisType.Auto, AxisType.Explicit])
def test_sharded_jit_needs_no_axis_name(kind, mask):
  devices = jax.make_mesh((8,), ("i",), axis_types=(kind,))
  rows, copy = NamedSharding(devices, P("i")), NamedSharding(devices, P())
  put = lambda array, where: (
    None if array is None else jax.device_put(array, where)
  )
  with jax.set_mesh(devices):
    args = (
      *(put(X, rows), put(SCALE, copy), put(BIAS, copy)),
      *(put(WEIGHT, rows), put(mask, rows)),
    )
    step = jax.value_and_grad(loss, (0, 1, 2), has_aux=True)
    (_, (y, moments)), gradients = jax.jit(step)(*args)
    assert_same((y, moments, gradients), pooled(mask))
    # Vectors only: the batch itself stays where it is.
    assert set(collectives(step, *args)) == {"all-reduce"}
    assert len(collectives(step, *args)) <= (3 if mask is None else 4)


GROUPS = [[0, 2], [1, 3, 4], [5, 6, 7]]


def run_groups(how, x, mask):
  step = partial(
    loss, scale=SCALE, bias=BIAS, axis_name="i", axis_index_groups=GROUPS
  )
  one = lambda x, weight, mask: step(x, weight=weight, mask=mask)[1][0]
  if how == "vmap":
    each = jax.vmap(one, axis_name="i")
    return each(split(x), split(WEIGHT), split(mask)).reshape(x.shape)
  rows = P("i")
  whole = jax.shard_map(one, mesh=mesh(8), in_specs=rows, out_specs=rows)
  return whole(x, WEIGHT, mask)


@jax.jit
def alone(x, weight, mask):
  """Returns the output and the gradient of one group on one device."""
  y, pullback = jax.vjp(lambda x: batch_norm(x, SCALE, BIAS, mask=mask)[0], x)
  return y, *pullback(weight)


@MASKS
@pytest.mark.parametrize("how", ["vmap", "shard_map"])
def test_groups_normalize_apart(how, mask):
  @jax.jit
  def step(x):
    y, pullback = jax.vjp(lambda x: run_groups(how, x, mask), x)
    return y, *pullback(WEIGHT)

  arrays = X, WEIGHT, mask, *step(X)
  for group in GROUPS:
    members = np.array(group)
    x, weight, kept, *actual = (
      None
      if array is None
      else np.concatenate(split(np.asarray(array))[members])
      for array in arrays
    )
    assert_same(tuple(actual), alone(x, weight, kept))


def test_groups_must_be_a_partition():
  with pytest.raises(ValueError, match="exactly once"):
    batch_norm(X, axis_name="i", axis_index_groups=[[0, 1], [1, 2]])


def test_moments_pool_without_normalizing():
  pool = partial(batch_moments, axis_name="i")
  each = jax.vmap(pool, axis_name="i")(split(X))
  assert_same(jax.tree.map(lambda a: a[5], each), batch_moments(X))


def test_one_row_per_device_is_a_batch():
  y = jax.vmap(lambda x: batch_norm(x, axis_name="i")[0], axis_name="i")(
    X[:, None]
  )
  assert_same(y, batch_norm(X)[0])
