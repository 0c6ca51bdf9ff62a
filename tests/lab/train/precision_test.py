"""Half of the bits for activations; all of them for what adds up."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab import experiment, results
from bnjax.lab.config import base
from bnjax.lab.models import MODELS, NORMS
from bnjax.lab.models.layers import Tap
from bnjax.lab.train.precision import PRECISIONS, cast_kernels
from bnjax.lab.train.step import (
  Batch,
  Task,
  init_state,
  predict,
  preprocess,
  train_step,
  working_variables,
)

RNG = np.random.default_rng(0)
SHAPE = (8, 8, 3)
BATCH = Batch(
  jnp.asarray(RNG.integers(0, 256, (16, *SHAPE), dtype=np.uint8)),
  jnp.asarray(RNG.integers(0, 10, 16), jnp.int32),
)
SMALL = {
  "mlp": {"width": 16},
  "lenet": {"channels": (4,), "hidden": (8,)},
  "deep": {"width": 16, "depth": 3},
  "small_inception": {
    "blocks": ("3a", "3c", "5b"),
    "local_response_norm": True,
    "dropout_rate": 0.4,
  },
}
DROPOUT = jax.random.key(1)


def _task(precision="bfloat16", model="mlp", norm="batch_norm", rate=0.1):
  made = MODELS[model](num_classes=10, norm=NORMS[norm], **SMALL[model])
  return Task(made, optax.sgd(rate), 0.0, 0.5, precision=PRECISIONS[precision])


def _dtypes(tree):
  return {leaf.dtype.name for leaf in jax.tree.leaves(tree)}


@functools.cache
def _step(precision):
  task = _task(precision)
  state = init_state(task, jax.random.key(0), SHAPE)
  return jax.jit(functools.partial(train_step, task))(state, DROPOUT, BATCH)


def test_what_adds_up_has_all_of_its_bits():
  state, loss, gradient = _step("bfloat16")
  kept = state.params, state.batch_stats, state.opt_state, loss, gradient
  assert _dtypes(kept) == {"float32"}


def _activations(task, train):
  """The dtype of every activation and of the new statistics."""

  def run():
    state = init_state(task, jax.random.key(0), SHAPE)
    _, seen = task.model.apply(
      working_variables(task, state),
      preprocess(task, BATCH.images),
      train=train,
      capture_intermediates=lambda module, _: isinstance(module, Tap),
      mutable=["intermediates", "batch_stats"],
      rngs={"dropout": DROPOUT, "noise": DROPOUT},
    )
    return seen

  seen = jax.eval_shape(run)
  assert _dtypes(seen.get("batch_stats", {})) <= {"float32", "int32"}
  return _dtypes(seen["intermediates"])


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("model", SMALL)
def test_activations_have_half(model, train):
  assert _activations(_task(model=model), train) == {"bfloat16"}
  assert _activations(_task("float32", model), train) == {"float32"}


@pytest.mark.parametrize("norm", sorted({*NORMS} - {"instance_norm"}))
def test_activations_have_half_behind_every_norm(norm):
  assert _activations(_task(norm=norm), True) == {"bfloat16"}


def test_the_loss_and_its_gradient_are_those_of_float32_nearly():
  half, whole = _step("bfloat16"), _step("float32")
  np.testing.assert_allclose(half[1], whole[1], rtol=2e-2)
  flat = lambda tree: np.concatenate([x.ravel() for x in jax.tree.leaves(tree)])
  assert np.corrcoef(flat(half[2]), flat(whole[2]))[0, 1] > 0.99
  differ = jax.tree.map(np.array_equal, half[2], whole[2])
  assert not all(jax.tree.leaves(differ))  # it was another computation


def test_statistics_are_summed_in_float32():
  # In bfloat16 a sum of ones stays at 256.
  task = _task(norm="batch_norm")
  state = init_state(task, jax.random.key(0), (1, 1, 1))
  ones = jnp.ones((1024, 1, 1, 1))
  _, new = task.model.apply(
    working_variables(task, state),
    preprocess(task, ones),
    train=True,
    mutable=["batch_stats"],
  )
  kernel = state.params["dense_0"]["kernel"].astype(jnp.bfloat16)
  expected = 0.01 * kernel[0].astype(jnp.float32)
  mean = new["batch_stats"]["norm_0"]["mean"]
  np.testing.assert_allclose(mean, expected, rtol=1e-4)


def test_steps_too_small_for_bfloat16_are_kept():
  tiny = _task(rate=1e-5)
  state = init_state(tiny, jax.random.key(0), SHAPE)
  new, _, gradient = jax.jit(functools.partial(train_step, tiny))(
    state, DROPOUT, BATCH
  )
  moved = new.params["dense_1"]["kernel"] - state.params["dense_1"]["kernel"]
  expected = -1e-5 * gradient["dense_1"]["kernel"]
  np.testing.assert_allclose(moved, expected, atol=6e-8)
  half = lambda x: x["dense_1"]["kernel"].astype(jnp.bfloat16)
  assert np.mean(half(new.params) == half(state.params)) > 0.9


def test_predictions_have_all_bits():
  task = _task()
  state = jax.eval_shape(lambda: init_state(task, jax.random.key(0), SHAPE))
  outputs = jax.eval_shape(
    functools.partial(predict, task), state, BATCH.images
  )
  assert outputs.dtype == jnp.float32


def test_nothing_is_cast_without_need():
  params = {"dense": {"kernel": jnp.ones(2), "bias": jnp.ones(2)}}
  for name in ("float32", "float64"):
    assert cast_kernels(PRECISIONS[name], params) is params
  assert _dtypes(cast_kernels(PRECISIONS["bfloat16"], params)) == {"bfloat16"}


def test_accuracy_is_that_of_float32(tmp_path):
  """5,000 real digits, 3 seeds: the two differ by less than their noise."""
  config = base().to_dict()
  config["dataset"]["name"] = "mnist5k"
  config["model"] |= {"width": 32}
  config["optimizer"] |= {"learning_rate": 0.1}
  config |= {"steps": 200, "eval_every": 200, "seeds": 3, "batch_size": 64}
  config["arms"] = {
    name: {"precision": name} for name in PRECISIONS if name != "float64"
  }
  experiment.run(config, tmp_path)
  last = [r for r in results.read_workdir(tmp_path).rows if r["step"] == 200]
  accuracy = {
    arm: np.mean([r["test_accuracy"] for r in last if r["arm"] == arm])
    for arm in config["arms"]
  }
  assert min(accuracy.values()) > 0.85
  assert abs(accuracy["bfloat16"] - accuracy["float32"]) < 0.02
