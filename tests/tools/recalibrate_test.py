"""Recalibration against float64, torch and itself."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, PartitionSpec

from bnjax.linen import BatchNorm
from bnjax.tools import recalibrate, recalibrate_stacked

RNG = np.random.default_rng(0)
X = np.asarray(RNG.normal(3, 2, size=(21, 4)) * [1, 2, 3, 4], np.float32)
BATCHES = [X[:8], X[8:16], X[16:]]  # The last is partial.


class Net(nn.Module):
  norm: type = BatchNorm
  axis_name: str | None = None

  @nn.compact
  def __call__(self, x, train=False, mask=None):
    for _ in range(2):
      x = nn.Dense(5)(x)
      norm = self.norm(use_running_average=not train, axis_name=self.axis_name)
      x = nn.relu(norm(x, mask=mask))
      x = nn.Dropout(0.5, deterministic=not train)(x)
    return nn.Dense(2)(x)


def reference(variables, batches, estimator):
  """float64, each layer normalized by the batch; pooled over all batches."""
  params = jax.tree.map(lambda v: np.asarray(v, np.float64), variables)[
    "params"
  ]
  inputs = [[], []]
  for x in batches:
    x = np.asarray(x, np.float64)
    for i in range(2):
      dense, norm = params[f"Dense_{i}"], params[f"BatchNorm_{i}"]
      x = x @ dense["kernel"] + dense["bias"]
      inputs[i].append(x)
      x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)
      x = np.maximum(x * norm["scale"] + norm["bias"], 0)
  if estimator == "pooled":
    every = [np.concatenate(rows) for rows in inputs]
    return [(rows.mean(0), rows.var(0)) for rows in every]
  return [
    (
      np.mean([rows.mean(0) for rows in layer], 0),
      np.mean([rows.var(0, ddof=1) for rows in layer], 0),
    )
    for layer in inputs
  ]


def assert_stats(variables, want):
  for i, (mean, var) in enumerate(want):
    stats = variables["batch_stats"][f"BatchNorm_{i}"]
    np.testing.assert_allclose(stats["mean"], mean, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(stats["var"], var, rtol=1e-5)


@pytest.fixture(scope="module")
def variables():
  return Net().init(jax.random.key(0), X)


@pytest.mark.parametrize("norm", [nn.BatchNorm, BatchNorm])
@pytest.mark.parametrize("estimator", ["pooled", "paper"])
def test_agrees_with_float64(variables, norm, estimator):
  model = Net(norm)
  result = recalibrate(model, variables, iter(BATCHES), estimator=estimator)
  assert_stats(result, reference(variables, BATCHES, estimator))
  same = jax.tree.map(np.array_equal, result["params"], variables["params"])
  assert jax.tree.all(same)
  assert jax.tree.structure(result) == jax.tree.structure(variables)


def test_is_idempotent_and_has_no_side_effects(variables):
  before = jax.tree.map(np.array, variables)
  once = recalibrate(Net(), variables, BATCHES)
  twice = recalibrate(Net(), once, BATCHES)
  jax.tree.map(np.testing.assert_array_equal, once, twice)
  jax.tree.map(np.testing.assert_array_equal, variables, before)


def test_training_mode_gives_the_same(variables):
  class Plain(Net):  # Without dropout, which training mode would turn on.
    @nn.compact
    def __call__(self, x, train=False):
      for _ in range(2):
        x = nn.Dense(5)(x)
        x = nn.relu(self.norm()(x, not train))
      return nn.Dense(2)(x)

  def train(model, x):
    return model(x, train=True)

  once = recalibrate(Plain(), variables, BATCHES)
  again = recalibrate(Plain(), variables, BATCHES, call=train)
  jax.tree.map(np.testing.assert_array_equal, once, again)


def test_padded_and_masked_last_batch(variables):
  padded = np.full_like(BATCHES[0], np.inf)
  padded[: len(BATCHES[-1])] = BATCHES[-1]
  mask = np.arange(8) < len(BATCHES[-1])
  full = np.ones(8, bool)
  batches = [(BATCHES[0], full), (BATCHES[1], full), (padded, mask)]

  def call(model, batch):
    x, mask = batch
    x = jnp.where(mask[:, None], x, 0)
    return model(x, mask=mask[:, None])

  result = recalibrate(Net(), variables, batches, call=call)
  assert_stats(result, reference(variables, BATCHES, "pooled"))


def test_agrees_with_torch_update_bn(variables):
  torch = pytest.importorskip("torch")
  params = jax.tree.map(np.array, variables["params"])
  layers = []
  for i in range(2):
    dense, norm = (
      torch.nn.Linear(4 if i == 0 else 5, 5),
      torch.nn.BatchNorm1d(5),
    )
    dense.weight.data = torch.tensor(params[f"Dense_{i}"]["kernel"].T)
    dense.bias.data = torch.tensor(params[f"Dense_{i}"]["bias"])
    layers += [dense, norm, torch.nn.ReLU()]
  model = torch.nn.Sequential(*layers)
  torch.optim.swa_utils.update_bn([torch.tensor(x) for x in BATCHES], model)
  want = [(m.running_mean, m.running_var) for m in (layers[1], layers[4])]
  result = recalibrate(Net(), variables, BATCHES, estimator="paper")
  assert_stats(result, [(mean.numpy(), var.numpy()) for mean, var in want])


def test_large_mean_over_many_batches():
  rng = np.random.default_rng(1)
  x = (1e4 + rng.normal(size=(200, 64, 3))).astype(np.float32)
  model = nn.BatchNorm(use_running_average=True)
  variables = model.init(jax.random.key(0), x[0])
  stats = recalibrate(model, variables, list(x))["batch_stats"]
  every = x.reshape(-1, 3).astype(np.float64)
  # Half the last place of a float32 near 1e4 is 4.9e-4.
  np.testing.assert_allclose(stats["mean"], every.mean(0), atol=5.5e-4)
  np.testing.assert_allclose(stats["var"], every.var(0), rtol=2e-5)


def test_across_devices(variables):
  """Shards of every batch, of unequal value, are one batch."""
  mesh = jax.make_mesh((4,), ("d",), axis_types=(AxisType.Auto,))
  batches = [X[:8], X[8:16]]
  spec = PartitionSpec
  specs = (spec(), spec("d"), spec("d"))

  for model, name in ((Net(), "d"), (Net(axis_name="d"), None)):

    def run(variables, a, b, model=model, name=name):
      return recalibrate(model, variables, [a, b], axis_name=name)

    result = jax.jit(
      jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=spec())
    )(variables, *batches)
    assert_stats(result, reference(variables, batches, "pooled"))


def test_axis_name_is_ignored_where_it_is_not_mapped(variables):
  result = recalibrate(Net(axis_name="d"), variables, BATCHES)
  assert_stats(result, reference(variables, BATCHES, "pooled"))


class Layer(nn.Module):
  @nn.compact
  def __call__(self, x, _=None):
    x = nn.Dense(4)(x)
    return nn.relu(nn.BatchNorm(use_running_average=True)(x)), None


class Scanned(nn.Module):
  remat: bool

  @nn.compact
  def __call__(self, x):
    layer = nn.remat(Layer) if self.remat else Layer
    axes = {"params": 0, "batch_stats": 0}
    scan = nn.scan(
      layer, variable_axes=axes, split_rngs={"params": True}, length=2
    )
    return scan(name="layers")(x, None)[0]


class Unrolled(nn.Module):
  @nn.compact
  def __call__(self, x):
    for i in range(2):
      x, _ = Layer(name=f"layer_{i}")(x)
    return x


@pytest.mark.parametrize("remat", [False, True])
def test_inside_scan_and_remat(remat):
  variables = jax.jit(Scanned(remat).init)(jax.random.key(0), X)
  result = recalibrate(Scanned(remat), variables, BATCHES)["batch_stats"]
  split = {
    kind: {
      f"layer_{i}": jax.tree.map(lambda v, i=i: v[i], tree["layers"])
      for i in range(2)
    }
    for kind, tree in variables.items()
  }
  want = recalibrate(Unrolled(), split, BATCHES)["batch_stats"]
  for i in range(2):
    for name in ("mean", "var"):
      np.testing.assert_allclose(
        result["layers"]["BatchNorm_0"][name][i],
        want[f"layer_{i}"]["BatchNorm_0"][name],
        rtol=1e-5,
        atol=1e-6,
      )


def test_ghost_groups_normalize_as_in_training():
  """Each group by itself, and the statistics of all rows together."""

  class Two(nn.Module):
    @nn.compact
    def __call__(self, x):
      x = BatchNorm(use_running_average=True, groups=2, name="first")(x)
      return BatchNorm(use_running_average=True, name="second")(x**3)

  x = X[:8]
  variables = Two().init(jax.random.key(0), x)
  stats = recalibrate(Two(), variables, [x])["batch_stats"]
  np.testing.assert_allclose(stats["first"]["var"], x.var(0), rtol=1e-5)
  halves = [(h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5) for h in (x[:4], x[4:])]
  cubes = np.concatenate(halves) ** 3
  np.testing.assert_allclose(stats["second"]["var"], cubes.var(0), rtol=1e-4)


@pytest.mark.parametrize("norm", [nn.BatchNorm, BatchNorm])
def test_examples_mapped_one_by_one(norm):
  """nn.vmap over a model of one example, pooled by the axis name."""

  class One(nn.Module):
    @nn.compact
    def __call__(self, x):
      return norm(use_running_average=True, axis_name="rows", axis=0)(x)

  model = nn.vmap(
    One,
    axis_name="rows",
    variable_axes={"params": None, "batch_stats": None},
    split_rngs={"params": False},
  )()
  variables = {
    "params": {"BatchNorm_0": {"scale": jnp.ones(4), "bias": jnp.zeros(4)}},
    "batch_stats": {"BatchNorm_0": {"mean": jnp.zeros(4), "var": jnp.ones(4)}},
  }
  stats = recalibrate(model, variables, BATCHES)["batch_stats"]["BatchNorm_0"]
  np.testing.assert_allclose(stats["mean"], X.mean(0), rtol=1e-5)
  np.testing.assert_allclose(stats["var"], X.var(0), rtol=1e-5)


def test_norm_called_twice_pools_both_calls():
  class Twice(nn.Module):
    @nn.compact
    def __call__(self, x):
      norm = nn.BatchNorm(use_running_average=True)
      return norm(x) + norm(2 * x)

  variables = Twice().init(jax.random.key(0), X)
  stats = recalibrate(Twice(), variables, BATCHES)["batch_stats"]
  every = np.concatenate([X, 2 * X]).astype(np.float64)
  np.testing.assert_allclose(
    stats["BatchNorm_0"]["var"], every.var(0), rtol=1e-5
  )


def test_leaves_alone_what_it_does_not_know():
  class Other(nn.Module):
    @nn.compact
    def __call__(self, x, use=True):
      self.variable("batch_stats", "mean", lambda: jnp.full(4, 7.0))
      self.variable("batch_stats", "var", lambda: jnp.full(4, 9.0))
      self.variable("batch_stats", "steps", lambda: jnp.array(3))
      return BatchNorm(use_running_average=True)(x)

  variables = Other().init(jax.random.key(0), X)
  stats = recalibrate(Other(), variables, [X])["batch_stats"]
  assert stats["mean"][0] == 7
  assert stats["var"][0] == 9
  assert stats["steps"] == 3
  np.testing.assert_allclose(stats["BatchNorm_0"]["mean"], X.mean(0), rtol=1e-5)


def test_errors(variables):
  with pytest.raises(ValueError, match="no batches"):
    recalibrate(Net(), variables, iter([]))
  with pytest.raises(ValueError, match="no batch_stats"):
    recalibrate(nn.Dense(1), {"params": {}}, [X])


class Pair(NamedTuple):
  x: jax.Array
  y: jax.Array


@pytest.mark.parametrize(
  ("batches", "error", "advice"),
  [
    (X, TypeError, r"pass \[x\]"),
    (jnp.asarray(X), TypeError, r"pass \[x\]"),
    (X[0, 0], TypeError, r"pass \[x\]"),
    ({"x": X}, TypeError, r"pass \[batch\]"),
    (7, TypeError, r"pass \[batch\]"),
    (list(X), ValueError, r"pass \[x\] rather than x"),
    ([X, X[:1]], ValueError, "leave a last one of one row out"),
    ([X[0, 0]], TypeError, "shape"),
    ([(X, X[:, 0])], TypeError, r"call=lambda .* model\(batch\[0\]\)"),
    ([Pair(X, X[:, 0])], TypeError, r"model\(batch\[0\]\)"),
    ([{"image": X}], TypeError, r"model\(batch\['image'\]\)"),
    ((X, X[:, 0].astype(int)), TypeError, r"pass \[\(x, y\)\]"),
  ],
)
def test_wrong_batches_are_told_from_right_ones(
  variables, batches, error, advice
):
  with pytest.raises(error, match=advice):
    recalibrate(Net(), variables, batches)


def test_stacked_batches_of_one_row(variables):
  with pytest.raises(ValueError, match="more rows"):
    recalibrate_stacked(Net(), variables, X)


@pytest.mark.parametrize("estimator", ["pooled", "paper"])
def test_stacked_batches_under_jit_and_vmap_are_the_same(estimator):
  class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
      x = nn.Dense(3)(x)
      x = BatchNorm(use_running_average=True)(x)
      return nn.BatchNorm(use_running_average=True)(nn.Dense(2)(x))

  data = jax.random.normal(jax.random.key(0), (20, 4))
  rows = jnp.arange(20).reshape(5, 4)
  call = lambda model, rows: model(data[rows])
  init = lambda key: Net().init(key, data)
  many = jax.vmap(init)(jax.random.split(jax.random.key(1), 3))
  run = lambda variables: recalibrate_stacked(
    Net(), variables, rows, call=call, estimator=estimator
  )
  stacked = jax.jit(jax.vmap(run))(many)
  for i in range(3):
    one = jax.tree.map(lambda x, i=i: x[i], many)
    expected = recalibrate(
      Net(), one, list(rows), call=call, estimator=estimator
    )
    got = jax.tree.map(lambda x, i=i: x[i], stacked)
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
      got,
      expected,
    )


def test_weights_of_a_call_count():
  class Weighted(nn.Module):
    @nn.compact
    def __call__(self, x, weights=None):
      norm = BatchNorm(use_running_average=True, name="norm")
      return norm(x, weights=weights)

  x, weights = jnp.array([[1.0], [5.0], [9.0]]), jnp.array([[3.0], [1.0], [0]])
  variables = Weighted().init(jax.random.key(0), x)
  stats = recalibrate(
    Weighted(),
    variables,
    [{"x": x, "weights": weights}],
    call=lambda model, batch: model(**batch),
  )["batch_stats"]["norm"]
  np.testing.assert_allclose(stats["mean"], [2.0], rtol=1e-6)
  np.testing.assert_allclose(stats["var"], [3.0], rtol=1e-6)
