"""Running probes: each against the measure of the plain thing."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from networks import CNN

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.probes import Histogram, make_probes, run_probes, to_rows

RNG = np.random.default_rng(0)
X = RNG.normal(size=(12, 6)).astype(np.float32)
LABELS = RNG.integers(0, 3, 12)
MODEL = mlp(
  num_classes=3,
  norm=NORMS["batch_norm"],
  width=5,
  depth=3,
  dropout_rate=0.5,
)
KEYS = {"dropout": jax.random.key(3)}
VARIABLES = MODEL.init(jax.random.key(0), X, train=False)
PROBES = make_probes(
  {
    "percentiles": {
      "measure": "percentiles",
      "layers": "preactivation_*",
      "q": (15, 50, 85),
    },
    "one": {"measure": "mean", "layers": ["activation_2"], "unit": 4},
    "back": {
      "measure": "log10_histogram",
      "of": "output_gradient",
      "layers": "activation_*",
      "bins": 4,
    },
    "weights": {"measure": "standard_deviation", "of": "parameter"},
    "gradients": {"measure": "norm", "of": "gradient", "layers": "*/kernel"},
    "ratio": {
      "measure": "norm",
      "of": "update",
      "layers": "dense_*/kernel",
      "relative": True,
    },
  }
)


def _loss(logits, labels=LABELS):
  losses = -jnp.take_along_axis(
    jax.nn.log_softmax(logits), labels[:, None], axis=1
  )
  return jnp.mean(losses)


def _run(variables=VARIABLES, x=X):
  return run_probes(
    PROBES,
    MODEL,
    variables,
    x,
    loss_fn=_loss,
    update_fn=lambda gradient: jax.tree.map(lambda g: -0.1 * g, gradient),
    train=True,
    rngs=KEYS,
  )


def test_values_are_those_of_the_plain_computation():
  results = jax.jit(_run)()

  def loss(params):
    logits, updates = MODEL.apply(
      {**VARIABLES, "params": params},
      X,
      train=True,
      rngs=KEYS,
      mutable=["batch_stats", "intermediates"],
      capture_intermediates=True,
    )
    return _loss(logits), updates["intermediates"]

  gradient, taps = jax.jit(jax.grad(loss, has_aux=True))(VARIABLES["params"])
  (x,) = taps["preactivation_1"]["__call__"]
  np.testing.assert_allclose(
    results["percentiles"]["preactivation_1"],
    np.percentile(x, (15, 50, 85)),
    rtol=1e-4,
    atol=1e-5,
  )
  (x,) = taps["activation_2"]["__call__"]
  np.testing.assert_allclose(
    results["one"]["activation_2"], np.mean(x[:, 4]), rtol=1e-5
  )
  for layer in ("dense_0", "dense_2", "output"):
    g = np.linalg.norm(gradient[layer]["kernel"])
    np.testing.assert_allclose(
      results["gradients"][f"{layer}/kernel"], g, rtol=1e-4
    )
    if layer != "output":
      w = np.linalg.norm(VARIABLES["params"][layer]["kernel"])
      np.testing.assert_allclose(
        results["ratio"][f"{layer}/kernel"], 0.1 * g / w, rtol=1e-4
      )
  np.testing.assert_allclose(
    results["weights"]["dense_1/kernel"],
    np.std(VARIABLES["params"]["dense_1"]["kernel"]),
    rtol=1e-5,
  )


def test_vmap_over_networks_equals_a_loop():
  keys = jax.random.split(jax.random.key(1), 3)
  networks = jax.vmap(lambda k: MODEL.init(k, X, train=False))(keys)
  xs = RNG.normal(size=(3, *X.shape)).astype(np.float32)
  run = jax.jit(_run)
  together = jax.jit(jax.vmap(_run))(networks, xs)
  for i in range(3):
    one = run(jax.tree.map(lambda a, i=i: a[i], networks), xs[i])
    for probe in set(one) - {"back"}:
      jax.tree.map(
        lambda a, b, i=i: np.testing.assert_allclose(
          a[i], b, rtol=1e-3, atol=1e-5
        ),
        together[probe],
        one[probe],
      )
    for layer, back in one["back"].items():
      assert together["back"][layer].counts[i].sum() == back.counts.sum()
      assert together["back"][layer].zero_fraction[i] == back.zero_fraction


def test_relative_gradient_of_an_output():
  probes = make_probes(
    {"r": {"measure": "norm", "of": "output_gradient", "relative": True}}
  )
  model = nn.Dense(2)
  variables = model.init(jax.random.key(0), X)
  results = run_probes(
    probes, model, variables, X, loss_fn=lambda y: 3 * jnp.sum(y**2)
  )
  np.testing.assert_allclose(results["r"]["__call__"], 6, rtol=1e-6)


def test_any_model_with_its_own_arguments():
  images = RNG.normal(size=(3, 5, 5, 2)).astype(np.float32)
  model = CNN()
  variables = model.init(jax.random.key(0), images)
  probes = make_probes(
    {
      "histogram": {"measure": "histogram", "layers": "*/conv", "bins": 5},
      "rank": {"measure": "effective_rank", "layers": "*/norm"},
      "dead": {"measure": "dead_units", "layers": "block_?/Dropout_0"},
    }
  )
  results = jax.jit(
    lambda v: run_probes(probes, model, v, images, train=True, rngs=KEYS)
  )(variables)
  conv = results["histogram"]["block_10/conv"]
  assert isinstance(conv, Histogram)
  assert conv.counts.sum() == 3 * 5 * 5 * 3
  assert set(results["dead"]) == {"block_0/Dropout_0", "block_9/Dropout_0"}
  rows = to_rows(jax.device_get(results))
  assert [row["layer"] for row in rows if row["probe"] == "histogram"] == [
    f"block_{i}/conv" for i in (0, 9, 10)
  ]


@pytest.mark.parametrize(
  ("group", "message"),
  [
    (
      {"measure": "norm", "layers": "preactivation_3"},
      r"^probes\.p\.layers: 'preactivation_3' matches nothing; there are "
      r"__call__, activation_0, activation_1, activation_2, .*, norm_2, output",
    ),
    (
      {"measure": "norm", "of": "parameter", "layers": ["*", "dense_0/scale"]},
      r"^probes\.p\.layers: 'dense_0/scale' matches nothing; there are "
      r"dense_0/bias, dense_0/kernel, dense_1/bias",
    ),
    (
      {"measure": "norm", "layers": "activation_*", "unit": 5},
      r"^probes\.p\.unit: 5 is not in 'activation_0', which has units 0 to 4$",
    ),
  ],
)
def test_what_is_wrong_is_named_in_one_line(group, message):
  probes = make_probes({"p": group})
  with pytest.raises(UserError, match=message) as raised:
    run_probes(
      probes, MODEL, VARIABLES, X, loss_fn=_loss, train=True, rngs=KEYS
    )
  assert "\n" not in str(raised.value)
  assert not getattr(raised.value, "__notes__", None)  # not of JAX's traces


@pytest.mark.parametrize(
  ("of", "missing"),
  [
    ("gradient", "a loss_fn"),
    ("output_gradient", "a loss_fn"),
    ("update", "a loss_fn and an update_fn"),
  ],
)
def test_a_missing_function_is_named(of, missing):
  probes = make_probes({"p": {"measure": "norm", "of": of}})
  model = nn.Dense(2)
  variables = model.init(jax.random.key(0), X)
  with pytest.raises(UserError, match=f"of '{of}', which needs {missing}$"):
    run_probes(probes, model, variables, X)
