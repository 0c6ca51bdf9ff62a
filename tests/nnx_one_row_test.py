"""One row: an error in training, and none where only shapes are asked for.

Flax's own tests call models with a batch norm on `jnp.ones((1, features))`:
in summaries, in `eval_shape`, in lazy initialization and its bridges.
"""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen, nnx

import bnjax.linen
from bnjax.nnx import BatchNorm

ROW = jnp.full((1, 3), 7.0)
ERROR = "one number per feature"


class Block(nnx.Module):
  def __init__(self, rngs, kind=BatchNorm, **options):
    self.linear = nnx.Linear(3, 3, rngs=rngs)
    self.norm = kind(3, rngs=rngs, **options)
    self.dropout = nnx.Dropout(0.2, rngs=rngs)

  def __call__(self, x):
    return nnx.relu(self.dropout(self.norm(self.linear(x))))


def stats(norm):
  return np.asarray(norm.mean[...]), np.asarray(norm.var[...])


def assert_untouched(norm):
  mean, var = stats(norm)
  assert (mean == 0).all()
  assert (var == 1).all()


@pytest.mark.parametrize("flops", [False, True])
def test_summary(flops):
  block = Block(nnx.Rngs(0), groups=2, axis_name="d")
  assert block.norm.mean.get_value().shape == (3,)
  patched = inspect.getattr_static(nnx.RngStream, "__call__")
  wide = {"width": 200}
  text = nnx.tabulate(block, ROW, compute_flops=flops, console_kwargs=wide)
  assert "BatchNorm" in text
  assert "mean" in text
  assert inspect.getattr_static(nnx.RngStream, "__call__") is patched
  assert_untouched(block.norm)
  block = Block(nnx.Rngs(0))
  nnx.tabulate(block, ROW)
  with pytest.raises(ValueError, match=ERROR):  # After it as before.
    block(ROW)


def test_summary_of_a_subclass():
  class NormAct(BatchNorm):
    def __call__(self, x):
      return nnx.relu(super().__call__(x))

  assert "NormAct" in nnx.tabulate(Block(nnx.Rngs(0), NormAct), ROW)


def _call(model, x):
  return model(x)


@pytest.mark.parametrize("call", [_call, nnx.jit(_call), nnx.remat(_call)])
def test_shapes_of_training(call):
  block = Block(nnx.Rngs(0))
  assert nnx.eval_shape(call, block, ROW).shape == (1, 3)
  gradient = nnx.grad(lambda block, x: call(block, x).sum())
  shapes = nnx.eval_shape(gradient, block, ROW)
  assert shapes["linear"]["kernel"].get_value().shape == (3, 3)
  assert_untouched(block.norm)
  with pytest.raises(ValueError, match=ERROR):  # Although it was traced.
    call(block, ROW)
  with pytest.raises(ValueError, match=ERROR):
    gradient(block, ROW)


@pytest.mark.parametrize(
  "transform",
  [
    nnx.jit,
    lambda f: nnx.jit(nnx.grad(lambda m, x: f(m, x).sum())),
    lambda f: nnx.vmap(f, in_axes=(None, None), axis_size=2),
    lambda f: (
      lambda m, x: nnx.scan(
        lambda y, _: (f(m, y), None), in_axes=(nnx.Carry, 0)
      )(x, jnp.arange(2))
    ),
  ],
)
def test_training_is_refused(transform):
  norm = BatchNorm(3, update_running=False, rngs=nnx.Rngs(0))
  with pytest.raises(ValueError, match=ERROR):
    transform(_call)(norm, ROW)
  norm.eval()
  jax.block_until_ready(transform(_call)(norm, ROW))


def test_the_functions_and_linen_too():
  def step(x):
    return jax.grad(lambda x: bnjax.batch_norm(x)[0].sum())(x)

  assert jax.eval_shape(step, ROW).shape == (1, 3)
  for run in (step, jax.jit(step), lambda x: jax.jit(jax.vmap(step))(x[None])):
    with pytest.raises(ValueError, match=ERROR):
      run(ROW)
  norm = bnjax.linen.BatchNorm(use_running_average=False)
  variables = norm.init(jax.random.key(0), ROW)
  train = lambda v, x: norm.apply(v, x, mutable=["batch_stats"])
  assert jax.eval_shape(train, variables, ROW)[0].shape == (1, 3)
  with pytest.raises(ValueError, match=ERROR):
    jax.jit(train)(variables, ROW)


def test_lazy_initialization():
  block = Block(nnx.Rngs(0), axis_name="d")
  nnx.bridge.lazy_init(block, ROW)
  assert_untouched(block.norm)
  with pytest.raises((NameError, ValueError)):
    block(ROW)
  model = nnx.bridge.ToNNX(
    bnjax.linen.BatchNorm(use_running_average=False), rngs=nnx.Rngs(0)
  ).lazy_init(ROW)
  assert_untouched(model)


def test_bridge_to_linen():
  model = nnx.bridge.ToLinen(BatchNorm, args=(3,))
  y, variables = model.init_with_output(jax.random.key(0), ROW)
  np.testing.assert_array_equal(y, [[0, 0, 0]])
  np.testing.assert_array_equal(variables["batch_stats"]["mean"], [0, 0, 0])
  with pytest.raises(ValueError, match=ERROR):
    model.apply(variables, ROW, mutable=["batch_stats"])

  class Inside(linen.Module):
    @linen.compact
    def __call__(self, x):
      return nnx.bridge.to_linen(BatchNorm, 3)(x)

  Inside().init(jax.random.key(0), ROW)


def test_bridge_module():
  class Net(nnx.bridge.Module):
    @nnx.bridge.compact
    def __call__(self, x):
      make = lambda rngs: BatchNorm(3, rngs=rngs)
      return nnx.bridge.nnx_in_bridge_mdl(make, name="norm")(x)

  variables = Net().init(jax.random.key(0), ROW)
  np.testing.assert_array_equal(variables["batch_stats"]["norm"]["mean"], 0)
