"""The samplers: literal properties of the indices they give."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import numpy as np
import pytest

from bnjax.lab import errors
from bnjax.lab.data import batches

SAMPLERS = [*batches.SAMPLERS.values()]
NAMES = [*batches.SAMPLERS]
# Compiled once a shape; hypothesis varies the key and the step.
SHAPES = [(1, 1), (7, 3), (12, 4), (13, 4), (30, 20)]
each_shape = pytest.mark.parametrize(
  "shape", [{"size": s, "batch_size": b} for s, b in SHAPES], ids=str
)
many = hypothesis.settings(max_examples=25, deadline=None, derandomize=True)
seeds = st.integers(0, 2**31 - 1)
compiled = functools.partial(
  jax.jit, static_argnames=("steps", "size", "batch_size")
)
COMPILED = {sampler: compiled(sampler) for sampler in SAMPLERS}


def _draw(sampler, seed, first_step, steps, shape):
  indices, mask = COMPILED[sampler](
    jax.random.key(seed), first_step, steps=steps, **shape
  )
  assert indices.dtype == np.int32
  assert indices.shape == (steps, shape["batch_size"])
  assert indices.min() >= 0
  assert indices.max() < shape["size"]
  if mask is None:
    mask = np.ones(indices.shape, bool)
  assert mask.dtype == bool
  return np.asarray(indices), np.asarray(mask)


@each_shape
@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
@many
@hypothesis.given(seeds, st.integers(0, 1000))
def test_one_chunk_or_several_are_the_same(sampler, shape, seed, first):
  whole = _draw(sampler, seed, first, 8, shape)
  parts = [_draw(sampler, seed, first + i, 4, shape) for i in (0, 4)]
  for one, several in zip(whole, zip(*parts, strict=True), strict=True):
    np.testing.assert_array_equal(one, np.concatenate(several))


@each_shape
@many
@hypothesis.given(seeds, st.integers(0, 1000))
def test_every_epoch_holds_each_example_once(shape, seed, cycle):
  size, batch_size = shape["size"], shape["batch_size"]
  # `size` steps end where an epoch does, so `cycle * size` starts one.
  stream = _draw(batches.epoch, seed, cycle * size, size, shape)[0]
  epochs = np.sort(stream.reshape(batch_size, size), axis=1)
  np.testing.assert_array_equal(epochs, [np.arange(size)] * batch_size)


@each_shape
@many
@hypothesis.given(seeds)
def test_fixed_minibatches_are_a_partition(shape, seed):
  size, batch_size = shape["size"], shape["batch_size"]
  indices, mask = _draw(batches.fixed, seed, 0, 400, shape)
  distinct = {tuple(row[keep]) for row, keep in zip(indices, mask, strict=True)}
  assert len(distinct) == -(-size // batch_size)
  np.testing.assert_array_equal(
    np.sort(np.concatenate([*distinct], axis=None)), np.arange(size)
  )
  lengths = sorted(map(len, distinct))
  assert lengths[1:] == [batch_size] * (len(lengths) - 1)


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_under_jit_and_vmap_with_a_traced_step(sampler):
  shape = {"size": 21, "batch_size": 4}
  keys = jax.random.split(jax.random.key(3), 3)
  run = functools.partial(sampler, steps=7, **shape)
  together = jax.jit(jax.vmap(run, in_axes=(0, None)))(keys, 5)
  for i, key in enumerate(keys):
    jax.tree.map(
      np.testing.assert_array_equal,
      jax.tree.map(lambda leaf, i=i: leaf[i], together),
      run(key, 5),
    )


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
def test_keys_and_steps_matter(sampler):
  shape = {"size": 1000, "batch_size": 10}
  first = _draw(sampler, 0, 0, 20, shape)[0]
  assert (first != _draw(sampler, 1, 0, 20, shape)[0]).mean() > 0.9
  assert (first != _draw(sampler, 0, 20, 20, shape)[0]).mean() > 0.9


def test_epochs_differ():
  two = _draw(batches.epoch, 0, 0, 20, {"size": 1000, "batch_size": 100})[0]
  assert (two[:10] != two[10:]).mean() > 0.9


def test_the_mask_is_none_where_nothing_is_masked():
  key = jax.random.key(0)
  assert batches.fixed(key, 0, 2, size=12, batch_size=4)[1] is None
  assert batches.fixed(key, 0, 2, size=13, batch_size=4)[1] is not None
  assert batches.epoch(key, 0, 2, size=13, batch_size=4)[1] is None


def test_the_published_setting_has_a_short_minibatch_of_216():
  mask = _draw(batches.fixed, 0, 0, 2000, {"size": 55_000, "batch_size": 256})
  lengths, counts = np.unique(mask[1].sum(axis=1), return_counts=True)
  np.testing.assert_array_equal(lengths, [216, 256])
  # 2000 draws of 215 minibatches: the short one 9.3 times, give or take 3.
  assert 2 <= counts[0] <= 20


def test_draws_are_uniform_with_replacement():
  indices, _ = _draw(batches.fixed, 7, 0, 5000, {"size": 50, "batch_size": 5})
  counts = np.unique(indices[:, 0], return_counts=True)[1]
  chi_square = ((counts - 500) ** 2 / 500).sum()
  assert len(counts) == 10
  assert chi_square < 27.9  # 9 degrees of freedom, p = 0.001


def test_orders_are_uniform():
  # All 24 orders of four examples, over 4800 epochs.
  stream = _draw(batches.epoch, 1, 0, 4800, {"size": 4, "batch_size": 4})[0]
  counts = np.unique(stream, axis=0, return_counts=True)[1]
  assert len(counts) == 24
  assert ((counts - 200) ** 2 / 200).sum() < 49.7  # 23 degrees, p = 0.001


def test_a_late_step_does_not_overflow():
  shape = {"size": 55_000, "batch_size": 256}
  late = 2_000_000_000  # step * batch_size needs 39 bits
  indices = _draw(batches.epoch, 0, late, 215, shape)[0].reshape(-1)
  # Of 55,040 in a row, across one seam, few are repeated: none before it.
  start = -late * 256 % 55_000
  assert len(np.unique(indices[:start])) == start
  assert len(np.unique(indices[start:])) == 55_040 - start


@pytest.mark.parametrize("sampler", SAMPLERS, ids=NAMES)
@pytest.mark.parametrize("batch_size", [0, -1, 11])
def test_a_batch_that_cannot_be(sampler, batch_size):
  with pytest.raises(errors.UserError) as caught:
    sampler(jax.random.key(0), 0, 1, size=10, batch_size=batch_size)
  assert str(caught.value) == (
    f"batch_size: {batch_size} is not between 1 and the 10 training examples"
  )
