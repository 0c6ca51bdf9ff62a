"""The compiled program against plain, one-network, one-step-at-a-time code."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.data.batches import SAMPLERS
from bnjax.models import NORMS, mlp
from bnjax.train import draw as drawing, evaluation, loop
from bnjax.train.draw import draw
from bnjax.train.images import as_words
from bnjax.train.losses import l2_penalty
from bnjax.train.step import (
  BATCHES,
  DROPOUT,
  Batch,
  Task,
  add_l2,
  evaluate,
  init_state,
  preprocess,
)

RNG = np.random.default_rng(0)
SHAPE = (4, 4, 1)


def _split(n):
  images = jnp.asarray(RNG.integers(0, 256, (n, *SHAPE), dtype=np.uint8))
  return Batch(images, jnp.asarray(RNG.integers(0, 3, n), jnp.int32))


TRAIN = _split(50)
SPLITS = loop.Splits(
  TRAIN._replace(images=jnp.asarray(as_words(np.asarray(TRAIN.images)))),
  _split(13),
  _split(20),
)
SEEDS = jnp.arange(3, dtype=jnp.uint32)


def _task(**arguments):
  model = mlp(
    num_classes=3,
    norm=NORMS[arguments.pop("norm", "batch_norm")](epsilon=1e-3),
    width=8,
    dropout_rate=arguments.pop("dropout_rate", 0.5),
    **arguments,
  )
  return Task(model, optax.sgd(0.1, 0.9), 1e-2, 0.4)


def _program(task, sampler="fixed"):
  program = loop.make_program(task, image_shape=SHAPE)

  def chunk(states, first, steps):
    draws = draw(
      states.key,
      jnp.int32(first),
      sampler=SAMPLERS[sampler],
      steps=steps,
      size=50,
      batch_size=16,
    )
    return program.chunk(states, SPLITS, draws, jnp.int32(first))

  return program._replace(chunk=chunk)


def _close(a, b, **tolerance):
  tolerance = {"rtol": 2e-5, "atol": 2e-6} | tolerance
  jax.tree.map(
    lambda x, y: np.testing.assert_allclose(x, y, **tolerance),
    jax.tree.map(_plain, a),
    jax.tree.map(_plain, b),
  )


def _plain(x):
  if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
    return jax.random.key_data(x)
  return x


def _reference(task, seed, steps, sampler):
  """Trains one network with autodiff of the whole loss, L2 and all."""
  state = init_state(task, jax.random.key(seed), SHAPE)
  indices, masks = SAMPLERS[sampler](
    jax.random.fold_in(state.key, BATCHES), 0, steps, size=50, batch_size=16
  )
  losses = []
  for step in range(steps):
    images, labels, _ = TRAIN
    images, labels = images[indices[step]], labels[indices[step]]
    mask = jnp.ones(16, bool) if masks is None else masks[step]
    key = jax.random.fold_in(jax.random.fold_in(state.key, DROPOUT), step)

    def loss(params, state=state, batch=(images, labels, mask), key=key):
      images, labels, mask = batch
      logits, new = task.model.apply(
        {"params": params, "batch_stats": state.batch_stats},
        preprocess(task, images),
        train=True,
        mask=mask,
        mutable=["batch_stats"],
        rngs={"dropout": key},
      )
      rows = jnp.arange(16)
      each = -jax.nn.log_softmax(logits)[rows, labels]
      data = jnp.sum(jnp.where(mask, each, 0)) / jnp.sum(mask)
      l2 = task.l2 * l2_penalty(params)
      return data + l2, (data, l2, new.get("batch_stats", {}))

    gradient, (data, l2, stats) = jax.grad(loss, has_aux=True)(state.params)
    update, opt_state = task.optimizer.update(
      gradient, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, update)
    state = state._replace(
      params=params, batch_stats=stats, opt_state=opt_state
    )
    norms = optax.tree.norm(gradient), optax.tree.norm(params)
    losses.append((data, l2, *norms))
  return state, losses[-1]


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("norm", ["batch_norm", "layer_norm"])
def test_every_network_is_trained_as_if_alone(norm, sampler):
  task = _task(norm=norm)
  program = _program(task, sampler)
  states, metrics = program.chunk(program.init(SEEDS), 0, 3)
  for i in (0, 2):
    state, last = _reference(task, SEEDS[i], 3, sampler)
    _close(jax.tree.map(lambda x, i=i: x[i], states), state)
    ours = (
      metrics.data_loss,
      metrics.l2_loss,
      metrics.grad_norm,
      metrics.param_norm,
    )
    np.testing.assert_allclose([x[i] for x in ours], last, rtol=1e-4)
    for split in ("validation", "test"):
      expected = evaluate(task, state, getattr(SPLITS, split))
      got = jax.tree.map(lambda x, i=i: x[i], getattr(metrics, split))
      _close(got, expected, rtol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_chunk_or_several_are_the_same(sampler):
  program = _program(_task(), sampler)
  whole, last = program.chunk(program.init(SEEDS), 0, 6)
  states = program.init(SEEDS)
  for first in (0, 3):
    states, metrics = program.chunk(states, first, 3)
  _close(states, whole, rtol=0, atol=0)
  _close(metrics, last, rtol=1e-6)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_drawn_in_spans_is_drawn_as_one(monkeypatch, sampler):
  keys = jax.random.split(jax.random.key(0), 3)
  how = {"sampler": SAMPLERS[sampler], "size": 50, "batch_size": 16}
  whole = drawing.draw(keys, jnp.int32(0), steps=11, **how)
  monkeypatch.setattr(drawing, "_INDICES", 2 * 3 * 16 * 3)  # spans of 6 steps
  parts = list(drawing.draw_in_chunks(keys, 11, 3, **how))
  assert [first for first, _ in parts] == [0, 3, 6, 9]
  joined = jax.tree.map(
    lambda *x: jnp.concatenate(x), *[part for _, part in parts]
  )
  _close(joined, whole, rtol=0, atol=0)


def test_seeds_differ_and_repeat():
  program = _program(_task())
  states = program.init(jnp.array([7, 8, 7], jnp.uint32))
  states, _ = program.chunk(states, 0, 2)
  kernel = states.params["dense_0"]["kernel"]
  np.testing.assert_array_equal(kernel[0], kernel[2])
  assert not np.array_equal(kernel[0], kernel[1])


def test_a_diverged_network_is_told_and_leaves_the_others_alone():
  program = _program(_task())
  alone, _ = program.chunk(program.init(SEEDS), 10, 5)
  states = program.init(SEEDS)
  poisoned = jax.tree.map(lambda w: w.at[1].set(jnp.inf), states.params)
  states, metrics = program.chunk(states._replace(params=poisoned), 10, 5)
  np.testing.assert_array_equal(metrics.diverged_step, [0, 11, 0])
  assert not np.isfinite(metrics.data_loss[1])
  assert np.isfinite(metrics.data_loss[jnp.array([0, 2])]).all()
  assert 0 <= metrics.test.correct[1] <= metrics.test.examples[1] == 20
  for i in (0, 2):
    _close(
      jax.tree.map(lambda x, i=i: x[i], states),
      jax.tree.map(lambda x, i=i: x[i], alone),
      rtol=0,
      atol=0,
    )


def test_the_step_of_divergence_is_counted_from_one():
  losses = jnp.array([[1.0, 1.0], [jnp.inf, 2.0], [jnp.nan, 3.0]])
  steps = loop._first_not_finite(losses, jnp.int32(100))
  np.testing.assert_array_equal(steps, [102, 0])


@pytest.mark.parametrize("block", [1, 7, 13, 1000])
def test_blocks_cover_each_split_once(monkeypatch, block):
  task = _task()
  states = _program(task).init(SEEDS)
  monkeypatch.setattr(evaluation, "BLOCK", block)
  splits = [SPLITS.validation, SPLITS.test]
  for split, sums in zip(
    splits, evaluation.evaluate_splits(task, states, splits), strict=True
  ):
    n = len(split.labels)
    np.testing.assert_array_equal(sums.examples, [n, n, n])
    one = lambda state, split=split: evaluate(task, state, split)
    _close(sums, jax.vmap(one)(states), rtol=1e-5)


def test_l2_is_added_as_its_derivative():
  task = _task()
  params = init_state(task, jax.random.key(0), SHAPE).params
  zero = jax.tree.map(jnp.zeros_like, params)
  expected = jax.grad(lambda p: task.l2 * l2_penalty(p))(params)
  _close(add_l2(task, zero, params), expected, rtol=1e-6)


def test_pixels_are_scaled_and_centred():
  images = jnp.asarray([[0, 255], [51, 102]], jnp.uint8)
  np.testing.assert_allclose(
    preprocess(_task(), images), [[-0.4, 0.6], [-0.2, 0.0]], atol=1e-6
  )
