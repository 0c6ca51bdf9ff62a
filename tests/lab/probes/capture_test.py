"""What flows through a model: against plain `apply` and explicit autodiff."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import CNN, Block

from bnjax.lab.errors import UserError
from bnjax.lab.probes import capture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 5, 5, 2)).astype(np.float32)
LABELS = RNG.integers(0, 4, 6)
KEYS = {"dropout": jax.random.key(7)}
MODEL = CNN()
VARIABLES = jax.jit(MODEL.init)(jax.random.key(0), X)


def _loss(logits):
  return -jnp.mean(jax.nn.log_softmax(logits)[np.arange(6), LABELS])


def _train(layers="*", **kwargs):
  return capture(
    MODEL,
    VARIABLES,
    X,
    train=True,
    rngs=KEYS,
    layers=layers,
    **{"loss_fn": _loss, **kwargs},
  )


def _close(a, b, rtol=1e-5, atol=1e-6):
  np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def _plain(params):
  return MODEL.apply(
    {**VARIABLES, "params": params},
    X,
    train=True,
    rngs=KEYS,
    mutable=["batch_stats"],
    capture_intermediates=True,
  )


def test_layers_have_their_paths_in_natural_order():
  names = []
  for block in ("block_0", "block_9", "block_10"):
    names += [f"{block}.0", f"{block}.1.mean"]
    names += [f"{block}/Dropout_0", f"{block}/conv", f"{block}/norm"]
  seen = jax.eval_shape(_train)
  expected = {"__call__", "output", "shared", "shared#1", *names}
  assert seen.outputs.keys() == expected
  assert seen.output_gradients.keys() == expected
  seen = capture(MODEL, VARIABLES, X, layers="*/conv")
  order = list(seen.outputs)
  assert order == ["block_0/conv", "block_9/conv", "block_10/conv"]


@pytest.mark.parametrize("loss_fn", [None, _loss])
def test_outputs_are_those_of_plain_apply(loss_fn):
  """In training: same dropout, same statistics of the batch."""
  seen = _train(loss_fn=loss_fn)
  logits, updates = _plain(VARIABLES["params"])
  stored = updates["intermediates"]
  np.testing.assert_array_equal(seen.output, logits)
  np.testing.assert_array_equal(seen.outputs["__call__"], logits)
  for block in ("block_0", "block_10"):
    for layer in ("conv", "norm", "Dropout_0"):
      (expected,) = stored[block][layer]["__call__"]
      np.testing.assert_array_equal(seen.outputs[f"{block}/{layer}"], expected)
  first, second = stored["shared"]["__call__"]
  np.testing.assert_array_equal(seen.outputs["shared"], first)
  np.testing.assert_array_equal(seen.outputs["shared#1"], second)
  assert np.mean(seen.outputs["block_0/Dropout_0"] == 0) > 0.5
  if loss_fn is None:
    assert seen.loss is None
    assert seen.output_gradients == seen.gradients == {}
  else:
    assert seen.loss == _loss(logits)


def test_gradients_of_parameters_are_those_of_grad():
  seen = _train(layers="output")
  expected = jax.grad(lambda p: _loss(_plain(p)[0]))(VARIABLES["params"])
  paths = jax.tree_util.tree_flatten_with_path(expected)[0]
  assert len(paths) == len(seen.gradients) == len(seen.parameters) == 16
  for path, gradient in paths:
    name = "/".join(key.key for key in path)
    _close(seen.gradients[name], gradient)
  np.testing.assert_array_equal(
    seen.parameters["block_9/conv/kernel"],
    VARIABLES["params"]["block_9"]["conv"]["kernel"],
  )


@pytest.mark.parametrize(
  ("name", "path", "call"),
  [
    ("block_0/conv", ("block_0", "conv"), 0),
    ("block_0/norm", ("block_0", "norm"), 0),
    ("block_10/conv", ("block_10", "conv"), 0),
    ("block_10/Dropout_0", ("block_10", "Dropout_0"), 0),
    ("shared", ("shared",), 0),
    ("shared#1", ("shared",), 1),
    ("output", ("output",), 0),
  ],
)
def test_gradient_of_an_output_is_that_of_an_added_zero(name, path, call):
  seen = _train(layers=name)
  zero = jnp.zeros_like(seen.outputs[name])

  def loss(zero):
    calls = []

    def add(function, args, kwargs, context):
      y = function(*args, **kwargs)
      if (context.module.path, context.method_name) != (path, "__call__"):
        return y
      calls.append(y)
      return y + zero if len(calls) == call + 1 else y

    with nn.intercept_methods(add):
      return _loss(_plain(VARIABLES["params"])[0])

  gradient = jax.grad(loss)(zero)
  assert np.abs(gradient).max() > 1e-4
  _close(seen.output_gradients[name], gradient)
  assert list(seen.output_gradients) == list(seen.outputs) == [name]


def test_the_state_stays_as_it_was():
  before = jax.tree.map(np.array, VARIABLES)
  a, b = _train(), _train()
  jax.tree.map(np.testing.assert_array_equal, before, dict(VARIABLES))
  jax.tree.map(np.testing.assert_array_equal, a, b)
  # In inference the running statistics are used, not the batch's.
  seen = capture(MODEL, VARIABLES, X, layers="block_0/*")
  np.testing.assert_array_equal(seen.output, MODEL.apply(VARIABLES, X))
  _close(
    seen.outputs["block_0/norm"],
    seen.outputs["block_0/conv"] / np.sqrt(1 + 1e-5),
  )


def test_what_earlier_calls_left_in_the_variables_is_no_matter():
  """`init` returns the `perturbations` of its own batch."""
  assert VARIABLES["perturbations"]["own"].shape == (6, 3)
  left = _plain(VARIABLES["params"])[1]
  run = lambda v: capture(MODEL, v, X[:4], layers="output", loss_fn=jnp.sum)
  clean = {k: VARIABLES[k] for k in ("params", "batch_stats")}
  jax.tree.map(
    np.testing.assert_array_equal,
    run({**VARIABLES, "intermediates": left["intermediates"]}),
    run(clean),
  )


def test_collections_that_may_change_can_be_named():
  named = _train(mutable=["batch_stats"])
  jax.tree.map(np.testing.assert_array_equal, named, _train())
  with pytest.raises(Exception, match="batch_stats"):
    _train(mutable=False)


def test_jit_and_vmap_equal_a_loop():
  model, keys = Block(3, True), jax.random.split(jax.random.key(1), 3)
  networks = jax.vmap(lambda key: model.init({"params": key, **KEYS}, X))(keys)

  @jax.jit
  def run(variables):
    loss = lambda y: jnp.sum(y[0] ** 3)
    return capture(model, variables, X, loss_fn=loss, rngs=KEYS)

  together = jax.vmap(run)(networks)
  for i in range(3):
    one = run(jax.tree.map(lambda a, i=i: a[i], networks))
    jax.tree.map(
      lambda a, b, i=i: _close(a[i], b, rtol=1e-3, atol=1e-3), together, one
    )


def test_one_forward_and_one_backward_pass():
  class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
      return nn.Dense(3)(jnp.tanh(nn.Dense(3)(x)))

  x = jnp.ones((2, 4))
  variables = Net().init(jax.random.key(0), x)
  run = lambda v: capture(Net(), v, x, loss_fn=lambda y: jnp.sum(y**2))
  text = jax.jit(run).lower(variables).compile().as_text()
  # Forward two products; back, two for the kernels and one for the input.
  assert text.count(" dot(") == 5


class Loop(nn.Module):
  axes: tuple[str, ...]

  @nn.compact
  def __call__(self, x):
    class Step(nn.Module):
      @nn.compact
      def __call__(self, x, _):
        return jnp.tanh(nn.Dense(3, name="dense")(x)), None

    scanned = nn.scan(
      Step,
      variable_axes=dict.fromkeys(("params", *self.axes), 0),
      split_rngs={"params": True},
      length=4,
    )
    return scanned(name="steps")(x, None)[0]


def test_layers_of_a_scan_that_lifts_the_collections():
  x = jnp.asarray(RNG.normal(size=(2, 3)), jnp.float32)
  variables = Loop(()).init(jax.random.key(0), x)
  loss = lambda y: jnp.sum(y**2)
  seen = {
    axes: capture(Loop(axes), variables, x, loss_fn=loss)
    for axes in (
      (),
      ("intermediates",),
      ("intermediates", "perturbations"),
    )
  }
  assert list(seen[()].outputs) == ["__call__"]
  partly = seen[("intermediates",)]
  assert "steps/dense" in partly.outputs
  # No gradient at all rather than a wrong one.
  assert list(partly.output_gradients) == ["__call__"]
  full = seen[("intermediates", "perturbations")]
  dense = variables["params"]["steps"]["dense"]

  def by_hand(zeros):
    h = x
    for i in range(4):
      z = h @ dense["kernel"][i] + dense["bias"][i][None] + zeros[i]
      h = jnp.tanh(z)
    return loss(h)

  _close(
    full.output_gradients["steps/dense"],
    jax.grad(by_hand)(jnp.zeros((4, 2, 3))),
  )


def test_a_subclass_that_calls_super_is_one_layer():
  class Shifted(nn.Dense):
    @nn.compact
    def __call__(self, x):
      return super().__call__(x) + 1

  x = jnp.ones((1, 2))
  model = nn.Sequential([Shifted(2), nn.relu])
  seen = capture(model, model.init(jax.random.key(0), x), x)
  assert set(seen.outputs) == {"__call__", "layers_0"}
  np.testing.assert_array_equal(jax.nn.relu(seen.outputs["layers_0"]), seen[0])


def test_other_methods_and_whole_number_outputs():
  class Coder(nn.Module):
    def setup(self):
      self.code, self.decode = nn.Dense(2), nn.Dense(3)

    def __call__(self, x):
      return self.decode(self.encode(x))

    def encode(self, x):
      return self.code(x)

  x = jnp.ones((1, 3))
  variables = Coder().init(jax.random.key(0), x)
  seen = capture(Coder(), variables, x, method="encode", loss_fn=jnp.sum)
  assert list(seen.outputs) == ["code"]
  np.testing.assert_array_equal(seen.output_gradients["code"], [[1, 1]])
  assert not np.any(seen.gradients["decode/kernel"])

  class Counter(nn.Module):
    @nn.compact
    def __call__(self, x):
      steps = self.param("steps", lambda key: jnp.array(3))
      return x * nn.Dense(1)(x), steps

  variables = Counter().init(jax.random.key(0), x)
  loss = lambda y: jnp.sum(y[0])
  seen = capture(Counter(), variables, x, loss_fn=loss)
  assert list(seen.outputs) == ["Dense_0", "__call__.0", "__call__.1"]
  assert list(seen.output_gradients) == ["Dense_0", "__call__.0"]
  assert list(seen.gradients) == ["Dense_0/bias", "Dense_0/kernel"]


def test_parameters_in_boxes_are_seen_without_them():
  init = nn.with_partitioning(nn.initializers.ones, (None, "model"))
  model = nn.Dense(2, kernel_init=init)
  x = jnp.ones((1, 3))
  variables = model.init(jax.random.key(0), x)
  seen = capture(model, variables, x, loss_fn=jnp.sum)
  np.testing.assert_array_equal(seen.parameters["kernel"], jnp.ones((3, 2)))
  np.testing.assert_array_equal(seen.gradients["kernel"], jnp.ones((3, 2)))


def test_a_layer_that_is_not_there():
  with pytest.raises(UserError) as raised:
    capture(MODEL, VARIABLES, X, layers=["block_*/conv", "block_9/norm_0"])
  assert str(raised.value) == (
    "layers: 'block_9/norm_0' matches nothing; there are __call__, block_0.0, "
    "block_0.1.mean, block_0/Dropout_0, block_0/conv, block_0/norm, block_9.0, "
    "block_9.1.mean, block_9/Dropout_0, block_9/conv, block_9/norm, "
    "block_10.0, block_10.1.mean, block_10/Dropout_0, block_10/conv, "
    "block_10/norm, output, shared, shared#1"
  )
