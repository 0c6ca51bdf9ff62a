"""The compiled program against plain, one-network, one-step-at-a-time code."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.data.batches import SAMPLERS
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.train import (
  batches,
  evaluation,
  loop,
  program as programs,
)
from bnjax.lab.train.batches import as_words, draw
from bnjax.lab.train.losses import l2_penalty
from bnjax.lab.train.precision import PRECISIONS
from bnjax.lab.train.step import (
  BATCHES,
  DROPOUT,
  Batch,
  Task,
  add_l2,
  evaluate,
  init_state,
  preprocess,
)
from bnjax.tools import recalibrate

RNG = np.random.default_rng(0)
SHAPE = (4, 4, 1)


def _split(n):
  images = jnp.asarray(RNG.integers(0, 256, (n, *SHAPE), dtype=np.uint8))
  return Batch(images, jnp.asarray(RNG.integers(0, 3, n), jnp.int32))


TRAIN = _split(50)
SPLITS = programs.Splits(
  TRAIN._replace(images=jnp.asarray(as_words(np.asarray(TRAIN.images)))),
  _split(13),
  _split(20),
)
SEEDS = jnp.arange(3, dtype=jnp.uint32)


def _task(**arguments):
  model = mlp(
    num_classes=3,
    norm=functools.partial(
      NORMS[arguments.pop("norm", "batch_norm")], epsilon=1e-3
    ),
    width=8,
    dropout_rate=arguments.pop("dropout_rate", 0.5),
    **arguments,
  )
  return Task(model, optax.sgd(0.1, 0.9), 1e-2, 0.4)


class _Program:
  """The program of networks that all have the same task."""

  def __init__(self, norm, sampler, across):
    self.task = _task(norm=norm)
    self.program = programs.make_program(
      lambda hyper: self.task, image_shape=SHAPE, across=across
    )
    self.sampler = SAMPLERS[sampler]

  def init(self, seeds):
    return self.program.init({}, seeds)

  def train(self, states, first, steps):
    draws = draw(
      states.key,
      jnp.int32(first),
      sampler=self.sampler,
      steps=steps,
      size=50,
      batch_size=16,
    )
    which = jnp.arange(len(states.key))
    return self.program.advance(
      {}, states, SPLITS.train, draws, which, jnp.int32(first)
    )

  def evaluate(self, states):
    which = jnp.arange(len(states.key))
    return self.program.evaluate({}, states, SPLITS, None, which)


_program = functools.cache(_Program)  # compiled once for all tests


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
      right = jnp.sum(mask & (jnp.argmax(logits, 1) == labels))
      seen = data, l2, right / jnp.sum(mask)
      return data + l2, (seen, new.get("batch_stats", {}))

    gradient, (seen, stats) = jax.grad(loss, has_aux=True)(state.params)
    update, opt_state = task.optimizer.update(
      gradient, state.opt_state, state.params
    )
    params = optax.apply_updates(state.params, update)
    state = state._replace(
      params=params, batch_stats=stats, opt_state=opt_state
    )
    norms = optax.tree.norm(gradient), optax.tree.norm(params)
    losses.append((*seen, *norms))
  data, l2, _, *norms = losses[-1]
  return state, (data, l2, np.mean([row[2] for row in losses]), *norms)


@pytest.mark.parametrize(
  ("norm", "sampler", "across"),
  [
    ("batch_norm", "fixed", "vmap"),
    ("batch_norm", "epoch", "vmap"),
    ("batch_norm", "epoch", "map"),
    ("layer_norm", "fixed", "map"),
  ],
)
def test_every_network_is_trained_as_if_alone(norm, sampler, across):
  program = _program(norm, sampler, across)
  task = program.task
  states, training = program.train(program.init(SEEDS), 0, 3)
  evaluation = program.evaluate(states)
  for i in (0, 2):
    state, last = _reference(task, SEEDS[i], 3, sampler)
    _close(jax.tree.map(lambda x, i=i: x[i], states), state)
    ours = (
      training.data_loss,
      training.l2_loss,
      training.mean_accuracy,
      training.grad_norm,
      evaluation.param_norm,
    )
    np.testing.assert_allclose([x[i] for x in ours], last, rtol=1e-4)
    for split in ("validation", "test"):
      expected = evaluate(task, state, getattr(SPLITS, split))
      got = jax.tree.map(lambda x, i=i: x[i], getattr(evaluation, split))
      _close(got, expected, rtol=1e-4)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_one_chunk_or_several_are_the_same(sampler):
  program = _program("batch_norm", sampler, "vmap")
  whole, last = program.train(program.init(SEEDS), 0, 6)
  states = program.init(SEEDS)
  losses = []
  for first in (0, 3):
    states, training = program.train(states, first, 3)
    losses.append(training.mean_loss)
  _close(states, whole, rtol=0, atol=0)
  _close(training.data_loss, last.data_loss, rtol=1e-6)
  _close(training.grad_norm, last.grad_norm, rtol=1e-6)
  _close((losses[0] + losses[1]) / 2, last.mean_loss, rtol=1e-5)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_run_drawn_in_spans_is_drawn_as_one(monkeypatch, sampler):
  keys = jax.random.split(jax.random.key(0), 3)
  how = {"sampler": SAMPLERS[sampler], "size": 50, "batch_size": 16}
  whole = batches.draw(keys, jnp.int32(0), steps=11, **how)
  monkeypatch.setattr(batches, "_INDICES", 2 * 3 * 16 * 3)  # spans of 6 steps
  parts = list(batches.draw_in_chunks(keys, 11, 3, **how))
  assert [first for first, _ in parts] == [0, 3, 6, 9]
  joined = jax.tree.map(
    lambda *x: jnp.concatenate(x), *[part for _, part in parts]
  )
  _close(joined, whole, rtol=0, atol=0)


def test_seeds_differ_and_repeat():
  program = _program("batch_norm", "fixed", "vmap")
  states = program.init(jnp.array([7, 8, 7], jnp.uint32))
  states, _ = program.train(states, 0, 3)
  kernel = states.params["dense_0"]["kernel"]
  np.testing.assert_array_equal(kernel[0], kernel[2])
  assert not np.array_equal(kernel[0], kernel[1])


def test_a_diverged_network_is_told_and_leaves_the_others_alone():
  program = _program("batch_norm", "fixed", "vmap")
  alone, _ = program.train(program.init(SEEDS), 10, 3)
  states = program.init(SEEDS)
  poisoned = jax.tree.map(lambda w: w.at[1].set(jnp.inf), states.params)
  states, training = program.train(states._replace(params=poisoned), 10, 3)
  np.testing.assert_array_equal(training.diverged_step, [0, 11, 0])
  assert not np.isfinite(training.data_loss[1])
  assert np.isfinite(training.data_loss[jnp.array([0, 2])]).all()
  test = program.evaluate(states).test
  assert 0 <= test.correct[1] <= test.examples[1] == 20
  for i in (0, 2):
    _close(
      jax.tree.map(lambda x, i=i: x[i], states),
      jax.tree.map(lambda x, i=i: x[i], alone),
      rtol=0,
      atol=0,
    )


def test_the_step_of_divergence_is_counted_from_one():
  first = jax.vmap(loop._first_not_finite, in_axes=(1, None))
  losses = jnp.array([[1.0, 1.0], [jnp.inf, 2.0], [jnp.nan, 3.0]])
  np.testing.assert_array_equal(first(losses, jnp.int32(100)), [102, 0])


@pytest.mark.parametrize("across", ["vmap", "map"])
def test_values_of_each_network_are_its_own(across):
  """Learning rates, L2 and so on: as if each had a program of its own."""

  def task(hyper):
    return Task(
      _task(init_scale=hyper["scale"], dropout_rate=hyper["rate"]).model,
      optax.sgd(hyper["learning_rate"], 0.9),
      hyper["l2"],
      0.4,
    )

  hyper = {
    "scale": [1.0, 0.5, 1.0],
    "rate": [0.5, 0.25, 0.125],
    "learning_rate": [0.1, 0.01, 0.2],
    "l2": [0.0, 0.1, 0.01],
  }
  arrays = {name: jnp.asarray(values) for name, values in hyper.items()}
  seeds, which = jnp.array([3, 3, 4], jnp.uint32), jnp.array([0, 0, 1])
  keys = jax.vmap(jax.random.key)(jnp.array([3, 4], jnp.uint32))
  how = {"sampler": SAMPLERS["fixed"], "size": 50, "batch_size": 16}
  draws = draw(keys, jnp.int32(0), steps=3, **how)
  program = programs.make_program(task, image_shape=SHAPE, across=across)
  states = program.init(arrays, seeds)
  states, training = program.advance(
    arrays, states, SPLITS.train, draws, which, jnp.int32(0)
  )
  for i in range(3):
    one = task({name: values[i] for name, values in arrays.items()})
    state, last = _reference(one, seeds[i], 3, "fixed")
    _close(jax.tree.map(lambda x, i=i: x[i], states), state)
    np.testing.assert_allclose(training.l2_loss[i], last[1], rtol=1e-4)


@pytest.mark.parametrize("block", [1, 7, 13, 1000])
def test_blocks_cover_each_split_once(block):
  task = _task()
  state = init_state(task, jax.random.key(0), SHAPE)
  splits = [SPLITS.validation, SPLITS.test]
  for split, sums in zip(
    splits,
    evaluation.evaluate_splits(task, state, splits, block=block),
    strict=True,
  ):
    assert sums.examples == len(split.labels)
    _close(sums, evaluate(task, state, split), rtol=1e-5)
  each = evaluation.probabilities(task, state, SPLITS.test.images, block=block)
  logits = task.model.apply(
    {"params": state.params, "batch_stats": state.batch_stats},
    preprocess(task, SPLITS.test.images),
    train=False,
  )
  np.testing.assert_allclose(each, jax.nn.softmax(logits), rtol=1e-5)


def test_population_statistics_are_those_of_algorithm_2():
  program = _program("batch_norm", "fixed", "vmap")
  task = program.task
  states, _ = program.train(program.init(SEEDS), 0, 3)
  how = {"sampler": SAMPLERS["epoch"], "size": 50, "batch_size": 10}
  draws = draw(states.key, jnp.int32(7), steps=5, **how)
  found = program.program.evaluate({}, states, SPLITS, draws, jnp.arange(3))
  state = jax.tree.map(lambda x: x[1], states)
  variables = {"params": state.params, "batch_stats": state.batch_stats}
  batches = [
    preprocess(task, TRAIN.images[draws.rows[step, 1]]) for step in range(5)
  ]
  call = lambda model, x: model(x, train=False)
  expected = recalibrate(
    task.model, variables, batches, call=call, estimator="paper"
  )
  state = state._replace(batch_stats=expected["batch_stats"])
  sums = jax.tree.map(lambda x: x[1], found.population_test)
  _close(sums, evaluate(task, state, SPLITS.test), rtol=1e-4)
  assert found.test.loss[1] != found.population_test.loss[1]


def test_floating_images_are_taken_as_they_are_and_float64_stays():
  with jax.enable_x64(True):
    task = _task()._replace(precision=PRECISIONS["float64"])
    images = jnp.asarray(RNG.normal(size=(2, *SHAPE)))
    np.testing.assert_array_equal(preprocess(task, images), images)
    state = init_state(task, jax.random.key(0), SHAPE)
    kinds = {x.dtype for x in jax.tree.leaves(state.params)}
    assert kinds == {jnp.dtype("float64")}
    outputs = task.model.apply(
      {"params": state.params, "batch_stats": state.batch_stats},
      images,
      train=False,
    )
    assert outputs.dtype == jnp.float64


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
