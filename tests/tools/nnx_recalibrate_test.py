"""Recalibration and labels of NNX models."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from jax.sharding import AxisType, PartitionSpec

from bnjax.nnx import BatchNorm
from bnjax.nnx.tools import (
  norm_labels,
  recalibrate,
  recalibrate_stacked,
)

X = np.float32(np.random.default_rng(0).normal(3, 2, size=(16, 4)))
BATCHES = [X[:6], X[6:]]


class Block(nnx.Module):
  def __init__(self, kind, rngs):
    self.linear = nnx.Linear(4, 4, rngs=rngs)
    self.norm = kind(4, rngs=rngs)

  def __call__(self, x, mask=None):
    return nnx.relu(self.norm(self.linear(x), mask=mask))


class Net(nnx.Module):
  def __init__(self, kind):
    rngs = nnx.Rngs(0)
    self.blocks = nnx.List([Block(kind, rngs) for _ in range(3)])
    self.dropout = nnx.Dropout(0.5, rngs=rngs)

  def __call__(self, x, mask=None):
    for block in self.blocks:
      x = self.dropout(block(x, mask))
    return x


def statistics(norm):
  return norm.mean[...], norm.var[...]


def assert_input_is(norm, x, rtol=1e-5):
  x = np.float64(x)
  mean, var = statistics(norm)
  np.testing.assert_allclose(mean, x.mean(0), rtol=rtol, atol=1e-5)
  np.testing.assert_allclose(var, x.var(0), rtol=rtol, atol=1e-12)


def assert_net_is_right(net, batches=BATCHES):
  """Each layer normalized by the batch; pooled over all batches."""
  inputs = [[], [], []]
  for x in batches:
    x = np.float64(x)
    for block, rows in zip(net.blocks, inputs, strict=True):
      kernel, bias = (
        np.float64(v[...]) for v in (block.linear.kernel, block.linear.bias)
      )
      x = x @ kernel + bias
      rows.append(x)
      x = np.maximum((x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5), 0)
  for block, rows in zip(net.blocks, inputs, strict=True):
    assert_input_is(block.norm, np.concatenate(rows), 1e-4)


KINDS = pytest.mark.parametrize("kind", [nnx.BatchNorm, BatchNorm])


@KINDS
@pytest.mark.parametrize("broken", [0.5, np.nan, np.inf, 3e38, -1.0])
def test_statistics_of_every_layer_whatever_they_were(kind, broken):
  net = Net(kind)
  for block in net.blocks:
    block.norm.mean[...] = block.norm.var[...] = jnp.full(4, broken)
  before = nnx.to_pure_dict(nnx.state(net, (nnx.Param, nnx.RngCount)))
  assert recalibrate(net, iter(BATCHES)) is None
  assert_net_is_right(net)
  after = nnx.to_pure_dict(nnx.state(net, (nnx.Param, nnx.RngCount)))
  jax.tree.map(np.testing.assert_array_equal, before, after)
  assert not net.dropout.deterministic
  assert not net.blocks[0].norm.use_running_average
  assert type(net.blocks[0].norm) is kind
  assert set(nnx.to_pure_dict(nnx.state(net.blocks[0].norm))) == {
    "scale",
    "bias",
    "mean",
    "var",
  }


def test_masks_count_as_they_are():
  padded = np.full_like(X[:10], np.inf)
  padded[:4] = X[12:]
  mask = np.arange(10) < 4
  batches = [(X[:10], np.ones(10, bool)), (padded, mask)]

  def call(net, batch):
    x, mask = batch
    return net(jnp.where(mask[:, None], x, 0), mask[:, None])

  net = Net(BatchNorm)
  recalibrate(net, batches, call=call)
  assert_net_is_right(net, [X[:10], X[12:]])


def test_paper_estimator_and_stacked_batches_in_jit():
  nets = [Net(BatchNorm) for _ in range(2)]
  recalibrate(nets[0], [X[:8], X[8:]], estimator="paper")

  @nnx.jit
  def run(net, x):
    recalibrate_stacked(net, x, estimator="paper")

  run(nets[1], X.reshape(2, 8, 4))
  for a, b in zip(nets[0].blocks, nets[1].blocks, strict=True):
    np.testing.assert_allclose(
      statistics(a.norm), statistics(b.norm), rtol=1e-5, atol=1e-6
    )
  x = np.float64(X) @ np.float64(nets[0].blocks[0].linear.kernel[...])
  var = np.mean([x[:8].var(0, ddof=1), x[8:].var(0, ddof=1)], 0)
  np.testing.assert_allclose(nets[0].blocks[0].norm.var[...], var, rtol=1e-5)


@KINDS
def test_subclass_with_a_signature_of_its_own(kind):
  class NormAct(kind):
    def __call__(self, x, train=False, *, slope=1.0):
      y = super().__call__(3 * x, use_running_average=not train)
      return jnp.where(y > 0, y, slope * y)

  class Two(nnx.Module):
    def __init__(self):
      self.norm = NormAct(4, rngs=nnx.Rngs(0))
      self.after = kind(4, rngs=nnx.Rngs(0))

    def __call__(self, x):
      return self.after(self.norm(x, True, slope=0.25))

  net = Two()
  recalibrate(net, [X])
  assert_input_is(net.norm, 3 * X)
  x = np.float64(3 * X)
  y = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
  assert_input_is(net.after, np.where(y > 0, y, y / 4))
  assert type(net.norm) is NormAct


def test_a_subclass_that_does_it_all_itself_is_refused():
  class Own(nnx.BatchNorm):
    def __call__(self, x):
      return x - self.mean[...][None]

  rngs = nnx.Rngs(0)
  net = nnx.Sequential(nnx.Linear(4, 4, rngs=rngs), Own(4, rngs=rngs))
  with pytest.raises(ValueError, match=r"Own .* does not call BatchNorm's own"):
    recalibrate(net, [X])


@KINDS
def test_one_norm_used_twice_pools_both_uses(kind):
  class Twice(nnx.Module):
    def __init__(self):
      self.a = self.b = kind(4, rngs=nnx.Rngs(0))

    def __call__(self, x):
      return self.a(x) + self.b(2 * x)

  net = Twice()
  recalibrate(net, [X])
  assert_input_is(net.a, np.concatenate([X, 2 * X]))


class Stacked(nnx.Module):
  """Blocks made by nnx.vmap, applied by nnx.scan."""

  def __init__(self, kind):
    make = nnx.vmap(lambda key: Block(kind, nnx.Rngs(key)))
    self.blocks = make(jax.random.split(jax.random.key(0), 3))

  def __call__(self, x):
    @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
    def run(x, block):
      return nnx.remat(lambda block, x: block(x))(block, x)

    return nnx.jit(lambda blocks, x: run(x, blocks))(self.blocks, x)


@KINDS
def test_inside_scan_remat_and_jit(kind):
  stacked, net = Stacked(kind), Net(kind)
  for i, block in enumerate(net.blocks):
    state = jax.tree.map(lambda v, i=i: v[i], nnx.state(stacked.blocks))
    nnx.update(block, state)
  recalibrate(stacked, BATCHES)
  recalibrate(net, BATCHES)
  for name in ("mean", "var"):
    want = [getattr(block.norm, name)[...] for block in net.blocks]
    got = getattr(stacked.blocks.norm, name)[...]
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@KINDS
def test_examples_mapped_one_by_one(kind):
  norm = kind(4, axis_name="rows", axis=0, rngs=nnx.Rngs(0))
  call = nnx.vmap(lambda norm, x: norm(x), in_axes=(None, 0), axis_name="rows")
  recalibrate(norm, BATCHES, call=call)
  assert_input_is(norm, X)


def test_across_devices():
  mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
  graph, state = nnx.split(Net(BatchNorm))

  def run(state, x):
    net = nnx.merge(graph, state)
    recalibrate(net, [x], axis_name="d")
    return nnx.state(net)

  spec = PartitionSpec
  mapped = jax.shard_map(
    run, mesh=mesh, in_specs=(spec(), spec("d")), out_specs=spec()
  )
  net = nnx.merge(graph, jax.jit(mapped)(state, X))
  assert_net_is_right(net, [X])


def test_a_model_that_differentiates_inside():
  class Forces(nnx.Module):
    def __init__(self):
      self.net = Net(BatchNorm)
      self.after = BatchNorm(4, rngs=nnx.Rngs(0))

    def __call__(self, x):
      energy = lambda net, x: net(x).sum()
      forces = nnx.grad(energy, argnums=1)(self.net, x)
      return self.after(forces + x)

  model = Forces()
  recalibrate(model, BATCHES)
  assert_net_is_right(model.net)
  assert np.isfinite(model.after.var[...]).all()
  call = lambda net, x: jax.grad(lambda x: net(x).sum())(x)
  with pytest.raises(ValueError, match=r"inside a jax transformation.*call="):
    recalibrate(Net(BatchNorm), BATCHES, call=call)


@pytest.mark.parametrize(
  ("batches", "error", "advice"),
  [
    (X, TypeError, r"pass \[x\]"),
    (iter([]), ValueError, "no batches"),
    ([X[:1]], ValueError, "more rows"),
    ([(X, X[:, 0])], TypeError, r"call=.*model\(batch\[0\]\)"),
    ([{"x": X}], TypeError, r"model\(batch\['x'\]\)"),
  ],
)
def test_what_is_wrong_is_said_and_nothing_changes(batches, error, advice):
  net = Net(BatchNorm)
  with pytest.raises(error, match=advice):
    recalibrate(net, batches)
  assert (net.blocks[0].norm.mean[...] == 0).all()


def test_models_that_cannot_be_recalibrated():
  with pytest.raises(ValueError, match="no batch norm"):
    recalibrate(nnx.Linear(4, 4, rngs=nnx.Rngs(0)), [X])
  with pytest.raises(TypeError, match=r"nnx\.Module, got dict"):
    recalibrate({"params": {}}, [X])


class Mixed(nnx.Module):
  def __init__(self):
    rngs = nnx.Rngs(0)
    self.conv = nnx.Conv(3, 4, (3,), rngs=rngs)
    self.ours = BatchNorm(4, use_scale=False, rngs=rngs)
    self.layers = nnx.List([nnx.BatchNorm(4, rngs=rngs)])
    self.layer = nnx.LayerNorm(4, rngs=rngs)
    self.scale = nnx.Param(jnp.ones(()))


def test_labels():
  assert nnx.to_pure_dict(norm_labels(Mixed())) == {
    "conv": {"kernel": "weight", "bias": "bias"},
    "ours": {"bias": "batch_norm"},
    "layers": {0: {"bias": "batch_norm", "scale": "batch_norm"}},
    "layer": {"bias": "norm", "scale": "norm"},
    "scale": "norm",
  }


def test_trains_batch_norms_alone():
  optax = pytest.importorskip("optax")
  model = Mixed()
  rest = {name: optax.set_to_zero() for name in ("norm", "bias", "weight")}
  transform = optax.multi_transform(
    {"batch_norm": optax.sgd(1.0), **rest}, norm_labels(model)
  )
  optimizer = nnx.Optimizer(model, transform, wrt=nnx.Param)
  before = nnx.to_pure_dict(nnx.state(model, nnx.Param))
  ones = jax.tree.map(jnp.ones_like, nnx.state(model, nnx.Param))
  optimizer.update(model, ones)
  moved = jax.tree.map(
    lambda a, b: bool((a - b == 1).all()),
    before,
    nnx.to_pure_dict(nnx.state(model, nnx.Param)),
  )
  labels = nnx.to_pure_dict(norm_labels(model))
  assert moved == jax.tree.map(lambda label: label == "batch_norm", labels)
