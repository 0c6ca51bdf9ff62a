"""LeNet: the report's network, its parameters, order, peers and refusals."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import MODELS, NORMS, lenet
from bnjax.lab.models.conv import convolve
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.local_response import local_response_norm

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(8, 16, 16, 3)).astype(np.float32))
KEYS = {"params": jax.random.key(0), "dropout": jax.random.key(1)}


def _model(norm="batch_norm", **arguments):
  return lenet(num_classes=10, norm=NORMS[norm], **arguments)


def _shapes(model, x=X):
  return jax.eval_shape(lambda: model.init(KEYS, x, train=False))


def _draw(path, leaf):
  """A value for a variable: quicker than compiling the initialization."""
  if path[-1].key == "kernel":
    std = np.prod(leaf.shape[:-1]) ** -0.5
    return jnp.asarray(RNG.normal(0, std, leaf.shape).astype(np.float32))
  middle = 1.0 if path[-1].key in ("scale", "var") else 0.0
  return jnp.asarray(RNG.normal(middle, 0.1, leaf.shape).astype(np.float32))


def _init(x=X, **arguments):
  model = _model(**arguments)
  shapes = _shapes(model, x)
  return model, jax.tree_util.tree_map_with_path(_draw, shapes)


@functools.partial(jax.jit, static_argnums=0)
def _train(model, variables, x=X, **others):
  return model.apply(
    variables, x, train=True, mutable=["batch_stats"], rngs=KEYS, **others
  )


@functools.partial(jax.jit, static_argnums=0)
def _infer(model, variables, x=X):
  return model.apply(variables, x, train=False)


@functools.partial(jax.jit, static_argnums=(0, 3))
def _taps(model, variables, x=X, train=False):
  """What the taps pass."""
  _, seen = model.apply(
    variables,
    x,
    train=train,
    capture_intermediates=lambda module, _: isinstance(module, Tap),
    mutable=["intermediates", "batch_stats"],
    rngs=KEYS,
  )
  return {k: v["__call__"][0] for k, v in seen["intermediates"].items()}


def _tap_shapes(model, variables):
  seen = jax.eval_shape(lambda: _taps.__wrapped__(model, variables))
  return {k: v.shape for k, v in seen.items()}


@pytest.mark.parametrize(
  ("norm", "parameters"), [("none", 62_006), ("batch_norm", 62_050)]
)
def test_parameters_of_the_published_network(norm, parameters):
  model = MODELS["lenet"](num_classes=10, norm=NORMS[norm])
  variables = _shapes(model, jnp.zeros((1, 32, 32, 3)))
  leaves = jax.tree.leaves(variables["params"])
  assert sum(leaf.size for leaf in leaves) == parameters


def test_equals_the_published_network_in_torch():
  torch = pytest.importorskip("torch")
  model, variables = _init(jnp.zeros((1, 32, 32, 3)))
  x = RNG.normal(size=(6, 32, 32, 3)).astype(np.float32)
  p = jax.tree.map(np.array, variables["params"])
  nn = torch.nn
  conv = [nn.Conv2d(3, 6, 5), nn.Conv2d(6, 16, 5)]
  norm = [nn.BatchNorm2d(6), nn.BatchNorm2d(16)]
  dense = [nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)]
  pool = nn.MaxPool2d(2, 2)
  as_tensor = lambda a: torch.tensor(np.ascontiguousarray(a))
  with torch.no_grad():
    for i in range(2):
      kernel = p[f"conv_{i}"]["kernel"].transpose(3, 2, 0, 1)
      conv[i].weight.copy_(as_tensor(kernel))
      conv[i].bias.copy_(as_tensor(p[f"conv_{i}"]["bias"]))
      norm[i].weight.copy_(as_tensor(p[f"norm_{i}"]["scale"]))
      norm[i].bias.copy_(as_tensor(p[f"norm_{i}"]["bias"]))
    for layer, name in zip(
      dense, ("dense_2", "dense_3", "output"), strict=True
    ):
      kernel = p[name]["kernel"].T
      if name == "dense_2":  # PyTorch flattens channels first
        kernel = kernel.reshape(120, 5, 5, 16).transpose(0, 3, 1, 2)
      layer.weight.copy_(as_tensor(kernel.reshape(layer.weight.shape)))
      layer.bias.copy_(as_tensor(p[name]["bias"]))
    h = as_tensor(x.transpose(0, 3, 1, 2))
    for i in range(2):
      h = norm[i](pool(torch.relu(conv[i](h))))
    h = torch.flatten(h, 1)
    h = torch.relu(dense[1](torch.relu(dense[0](h))))
    expected = dense[2](h).numpy()
  y, _ = _train(model, {**variables, "params": p}, x)
  np.testing.assert_allclose(y, expected, rtol=1e-3, atol=1e-4)


def test_arms_share_their_initial_weights():
  models = _model(norm_dense=True), _model(norm="none")
  with_norm, without = jax.jit(
    lambda: [model.init(KEYS, X, train=False) for model in models]
  )()
  for layer in ("conv_0", "conv_1", "dense_2", "dense_3", "output"):
    np.testing.assert_array_equal(
      with_norm["params"][layer]["kernel"], without["params"][layer]["kernel"]
    )


@pytest.mark.parametrize("placement", ["after_pool", "after", "before"])
def test_placement_is_the_order_of_norm_activation_and_pool(placement):
  model, variables = _init(
    channels=(4,), hidden=(), placement=placement, activation="tanh"
  )
  seen = _taps(model, variables, X, True)

  p = jax.tree.map(np.asarray, variables["params"])

  def norm(z):
    axes = (0, 1, 2)
    normal = (z - z.mean(axes)) / np.sqrt(z.var(axes) + 1e-5)
    return normal * p["norm_0"]["scale"] + p["norm_0"]["bias"]

  pool = lambda z: z.reshape(8, 6, 2, 6, 2, 4).max(axis=(2, 4))
  z = np.asarray(convolve(X, p["conv_0"]["kernel"], padding="VALID"))
  z = z + p["conv_0"]["bias"]
  before, after = {
    "before": (norm(z), pool(np.tanh(norm(z)))),
    "after": (z, pool(norm(np.tanh(z)))),
    "after_pool": (z, norm(pool(np.tanh(z)))),
  }[placement]
  close = {"rtol": 1e-3, "atol": 1e-3}
  np.testing.assert_allclose(seen["preactivation_0"], before, **close)
  np.testing.assert_allclose(seen["activation_0"], after, **close)


@pytest.mark.parametrize("placement", ["after_pool", "after", "before"])
@pytest.mark.parametrize("norm", sorted(NORMS.keys() - {"instance_norm"}))
def test_every_norm_has_a_place(norm, placement):
  model = lenet(num_classes=10, norm=NORMS[norm], placement=placement)
  shapes = jax.eval_shape(
    lambda: _train.__wrapped__(model, model.init(KEYS, X, train=False))[0]
  )
  assert shapes.shape == (8, 10)


def test_taps_have_the_same_names_and_shapes_in_any_network():
  want = {
    "preactivation_0": (8, 12, 12, 6),
    "activation_0": (8, 6, 6, 6),
    "preactivation_1": (8, 2, 2, 16),
    "activation_1": (8, 1, 1, 16),
    "preactivation_2": (8, 120),
    "activation_2": (8, 120),
    "preactivation_3": (8, 84),
    "activation_3": (8, 84),
  }
  for arguments in (
    {"norm": "none"},
    {"placement": "before", "norm_dense": True},
    {"placement": "after", "dropout_rate": 0.5, "local_response_norm": True},
  ):
    assert _tap_shapes(*_init(**arguments)) == want


def test_masked_rows_do_not_count():
  model, variables = _init(norm_dense=True)
  poisoned = jnp.concatenate([X, jnp.full_like(X[:3], 1e6)])
  y, stats = _train(model, variables)
  masked, same = _train(model, variables, poisoned, mask=jnp.arange(11) < 8)
  np.testing.assert_allclose(y, masked[:8], rtol=1e-4, atol=1e-4)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    stats,
    same,
  )


def test_dropout_is_of_hidden_units_in_training_only():
  options = {"norm": "none", "channels": (4,), "hidden": (10, 10)}
  model, variables = _init(dropout_rate=0.5, **options)
  # The classifier shows what it gets: the last layer's units, dropped or not.
  variables["params"]["output"] = {"kernel": jnp.eye(10), "bias": jnp.zeros(10)}
  units = _taps(model, variables)["activation_2"]
  np.testing.assert_allclose(_infer(model, variables), units, rtol=1e-6)
  seen = _taps(model, variables, X, True)  # pairs with the same key
  y, _ = _train(model, variables)
  kept = y != 0
  assert 0.3 < np.mean(kept[seen["activation_2"] > 0]) < 0.7
  np.testing.assert_allclose(
    y, jnp.where(kept, 2 * seen["activation_2"], 0), rtol=1e-5
  )
  assert not np.allclose(units, seen["activation_2"])  # dropped before, too


def test_a_traced_rate_and_scale_give_what_python_numbers_give():
  def run(rate, scale):
    options = {"norm": "none", "channels": (2,), "hidden": (4,)}
    model = _model(dropout_rate=rate, init_scale=scale, **options)
    variables = model.init(KEYS, X, train=False)
    return _train.__wrapped__(model, variables)[0]

  rate = 13107 / 2**16  # of 16 binary digits, as many as a traced one draws
  np.testing.assert_allclose(
    jax.jit(run)(jnp.float32(rate), jnp.float32(1.5)),
    jax.jit(run, static_argnums=(0, 1))(rate, 1.5),
    rtol=1e-4,
    atol=1e-4,
  )


def test_local_response_follows_the_pool():
  options = {"norm": "none", "channels": (6,), "hidden": ()}
  plain, variables = _init(**options)
  model, _ = _init(**options, local_response_norm=True)
  np.testing.assert_allclose(
    _taps(model, variables)["activation_0"],
    local_response_norm(_taps(plain, variables)["activation_0"]),
    rtol=1e-6,
  )


def test_in_the_manner_of_vgg():
  options = {
    "channels": (4, 4, 8, 8),
    "kernel_size": 3,
    "padding": "SAME",
    "pool_every": 2,
    "hidden": (5,),
    "placement": "before",
    "norm_dense": True,
    "use_bias": False,
  }
  model, variables = _init(**options)
  shapes = _tap_shapes(model, variables)
  assert [shapes[f"activation_{i}"] for i in range(5)] == [
    (8, 16, 16, 4), (8, 8, 8, 4), (8, 8, 8, 8), (8, 4, 4, 8), (8, 5),
  ]  # fmt: skip
  assert "bias" not in variables["params"]["conv_0"]
  assert "bias" not in variables["params"]["dense_4"]
  assert "bias" in variables["params"]["output"]
  assert "norm_4" in variables["params"]


def test_an_odd_row_and_column_are_dropped_by_the_pool():
  options = {"norm": "none", "channels": (3,), "hidden": ()}
  model, variables = _init(X[:, :15, :15], **options)
  np.testing.assert_allclose(
    _infer(model, variables, X[:, :15, :15]),
    _infer(model, variables, X[:, :14, :14]),
    rtol=1e-6,
    atol=1e-6,
  )


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"init": "torch_def"}, r"model\.init: 'torch_def'.*'torch_default'"),
    ({"activation": "rely"}, r"model\.activation: 'rely'.*'relu'"),
    ({"placement": "pool"}, r"model\.placement: 'pool'.*after_pool, before"),
    ({"padding": "same"}, r"model\.padding: 'same'.*SAME, VALID"),
    ({"dropout_rate": -0.1}, r"model\.dropout_rate: -0\.1 is too small"),
    ({"channels": (6, 0)}, r"model\.channels\[1\]: 0 is too small"),
    ({"hidden": (0,)}, r"model\.hidden\[0\]: 0 is too small"),
    ({"pool_every": 0}, r"model\.pool_every: 0 is too small"),
    ({"kernel_size": 0}, r"model\.kernel_size: 0 is too small"),
    ({"x": X[:, :15]}, "images of 15x16 are too small for convolution 1 of 2"),
    ({"x": X[:, 0]}, r"model\.name: 'lenet' takes images .* \(16, 3\)"),
  ],
)
def test_what_is_wrong_is_named(arguments, message):
  with pytest.raises(UserError, match=message):
    _init(**arguments)
