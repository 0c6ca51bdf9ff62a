"""The deep network: its order, where the gradient enters, published values."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import MODELS, NORMS, deep
from bnjax.lab.models.layers import Tap

RNG = np.random.default_rng(0)
X = jnp.asarray(RNG.normal(size=(16, 5)).astype(np.float32))


def _init(x=X, norm="none", **arguments):
  options = {"width": 6, "depth": 4, **arguments}
  model = deep(num_classes=10, norm=NORMS[norm], **options)
  return model, model.init(jax.random.key(0), x, train=False)


def _apply(model, variables, x=X, zeros=None):
  """The output, and what the taps pass; `zeros` are added to that."""
  seen = {}

  def observe(call, args, kwargs, context):
    y = call(*args, **kwargs)
    if isinstance(context.module, Tap):
      name = context.module.name
      y = y if zeros is None else y + zeros[name]
      seen[name] = y
    return y

  with nn.intercept_methods(observe):
    y, _ = model.apply(variables, x, train=True, mutable=["batch_stats"])
  return y, seen


@pytest.mark.parametrize("placement", ["before", "after"])
def test_is_layers_of_product_norm_and_activation(placement):
  model, variables = _init(norm="batch_norm", placement=placement)
  y, seen = _apply(model, variables)
  norm = lambda z: (z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5)
  h = np.float64(X)
  for i in range(4):
    z = h @ np.float64(variables["params"][f"dense_{i}"]["kernel"])
    z = norm(z) if placement == "before" else z
    h = np.maximum(z, 0)
    h = norm(h) if placement == "after" else h
    np.testing.assert_allclose(seen[f"preactivation_{i}"], z, atol=1e-4)
    np.testing.assert_allclose(seen[f"activation_{i}"], h, atol=1e-4)
  np.testing.assert_array_equal(y, seen["activation_3"])
  np.testing.assert_array_equal(seen["input"], X)
  assert len(seen) == 9


def test_has_kernels_and_nothing_else():
  model = MODELS["deep"](num_classes=10, norm=NORMS["none"])
  x = jnp.zeros((2, 100))
  variables = jax.eval_shape(
    lambda: model.init(jax.random.key(0), x, train=False)
  )
  assert {k: v["kernel"].shape for k, v in variables["params"].items()} == {
    f"dense_{i}": (100, 100) for i in range(20)
  }
  assert all(list(v) == ["kernel"] for v in variables["params"].values())
  assert set(variables) == {"params"}


def test_the_gradient_enters_where_it_should_and_later_layers_are_computed():
  whole, variables = _init()
  model, _ = _init(gradient_enters=3)
  y, seen = _apply(model, variables)
  _, expected = _apply(whole, variables)
  np.testing.assert_array_equal(y, expected["activation_2"])
  np.testing.assert_array_equal(seen["activation_3"], expected["activation_3"])
  loss = lambda params: jnp.sum(_apply(model, {"params": params})[0])
  gradient = jax.grad(loss)(variables["params"])
  assert np.any(gradient["dense_2"]["kernel"])
  np.testing.assert_array_equal(gradient["dense_3"]["kernel"], 0)


def test_masked_rows_do_not_count():
  model, variables = _init(norm="batch_norm")
  poisoned = jnp.concatenate([X, jnp.full_like(X[:3], 1e6)])
  run = lambda x, mask: model.apply(
    variables, x, train=True, mask=mask, mutable=["batch_stats"]
  )[0]
  np.testing.assert_allclose(
    run(X, None), run(poisoned, jnp.arange(19) < 16)[:16], atol=1e-4
  )


@pytest.mark.parametrize(
  ("arguments", "message"),
  [
    ({"gradient_enters": 5}, r"model\.gradient_enters: 5 .* from 1 to 4"),
    ({"gradient_enters": -1}, r"model\.gradient_enters: -1 is too small"),
    ({"depth": 0}, r"model\.depth: 0 is too small"),
    ({"placement": "after_pool"}, r"model\.placement: 'after_pool'"),
  ],
)
def test_what_is_wrong_is_named(arguments, message):
  with pytest.raises(UserError, match=message):
    _init(**arguments)


def _variances(norm, seeds, **arguments):
  """Variances at initialization, geometric means over seeds, in float64.

  As the post has it: 1000 examples N(0, 1) of 100 features, weights of
  standard deviation 0.01, and a gradient of 0.01 N(0, 1).

  Returns:
    Those of the gradients of the 20 kernels and of the 20 activations.
  """
  model = deep(
    num_classes=10, norm=norm, init="normal", init_scale=0.01, **arguments
  )

  def run(seed):
    keys = jax.random.split(jax.random.key(seed), 3)
    x = jax.random.normal(keys[0], (1000, 100))
    entering = 0.01 * jax.random.normal(keys[1], (1000, 100))
    variables = model.init(keys[2], x, train=False)
    variables = jax.tree.map(lambda v: v.astype(jnp.float64), variables)
    params, rest = variables.pop("params"), variables

    def loss(params, zeros):
      y, seen = _apply(model, {**rest, "params": params}, x, zeros)
      return jnp.vdot(entering, y), seen

    _, seen = jax.eval_shape(lambda: loss(params, None))
    zeros = {k: jnp.zeros(v.shape, v.dtype) for k, v in seen.items()}
    of_params, of_taps = jax.grad(loss, (0, 1), has_aux=True)(params, zeros)[0]
    return (
      jnp.stack(
        [jnp.var(of_params[f"dense_{i}"]["kernel"]) for i in range(20)]
      ),
      jnp.stack([jnp.var(of_taps[f"activation_{i}"]) for i in range(20)]),
    )

  with jax.enable_x64(True), np.errstate(divide="ignore"):
    results = jax.jit(jax.vmap(run))(jnp.arange(seeds))
    return [np.exp(np.mean(np.log(r), axis=0)) for r in results]


def test_the_published_gradients_and_the_corrected_ones():
  """What the post calls layers 2 and 3 are layers 19 and 18.

  Its figures say 16.400 and 27.351; its true layer 1 explodes. The values are
  of a float64 NumPy program written from the post, ten seeds.
  """
  norm = NORMS["feature_norm"]
  options = {"seeds": 4, "placement": "after", "gradient_enters": 19}
  published, _ = _variances(
    functools.partial(norm, derivative="as_published"), **options
  )
  assert 15 < published[18] < 17
  assert 26 < published[17] < 29
  assert published[9] == pytest.approx(4.6e5, rel=0.15)
  assert published[1] == pytest.approx(3.2e10, rel=0.3)
  assert published[0] == pytest.approx(1.29e11, rel=0.3)
  assert published[19] == 0
  corrected, _ = _variances(norm, **options)
  assert corrected[18] == pytest.approx(14.9, rel=0.05)
  assert corrected[17] == pytest.approx(22.5, rel=0.05)
  assert corrected[9] == pytest.approx(589, rel=0.15)
  assert corrected[1] == pytest.approx(1.59e4, rel=0.3)
  assert corrected[0] == pytest.approx(2.35e4, rel=0.3)


@pytest.mark.parametrize(
  ("norm", "placement", "low", "high"),
  [
    # π / (π - 1) = 1.467: Yang et al. 2019, arXiv:1902.08129.
    ("batch_norm", "before", 1.40, 1.50),
    ("layer_norm", "before", 0.95, 1.02),
    ("batch_norm", "after", 1.43, 1.52),
  ],
)
def test_growth_of_gradients_from_layer_to_layer(norm, placement, low, high):
  _, variances = _variances(
    functools.partial(NORMS[norm], epsilon=0.0), seeds=3, placement=placement
  )
  growth = (variances[1] / variances[18]) ** (1 / 17)  # layers 2 to 19
  assert low < growth < high
