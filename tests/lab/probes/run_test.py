"""Running probes: each against the measure of the plain thing."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from networks import CNN

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, mlp
from bnjax.lab.probes import (
  Histogram,
  Pair,
  along_gradient,
  capture,
  make_probes,
  mean_drift,
  output_mean_gradients,
  run_probes,
  share_in_span,
  to_rows,
  top_eigenpairs,
  wasserstein_drift,
)

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
VARIABLES = jax.jit(partial(MODEL.init, train=False))(jax.random.key(0), X)
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


def test_probes_of_an_update_and_of_the_loss_as_a_function():
  """Each is the function of its name, of one batch with one dropout mask."""
  group = {
    "mean": {"measure": "mean_drift", "layers": "dense_2"},
    "anew": {"measure": "mean_drift", "layers": "dense_2", "new_noise": True},
    "units": {
      "measure": "wasserstein_drift",
      "layers": "dense_2",
      "per_feature": True,
    },
    "cosine": {"measure": "gradient_cosine", "layers": "dense_*/kernel"},
    "change": {"measure": "gradient_change", "layers": "output/kernel"},
    "along": {"measure": "loss_along_gradient", "steps": (0.1, 1.0)},
    "curvature": {"measure": "top_eigenvalues", "count": 2},
  }
  chosen = make_probes(group)

  def apply(params, **options):
    variables = {**VARIABLES, "params": params}
    return MODEL.apply(
      variables, X, train=True, rngs=KEYS, mutable=["batch_stats"], **options
    )[0]

  params = VARIABLES["params"]
  loss = lambda params: _loss(apply(params))
  gradient = jax.grad(loss)(params)
  updated = jax.tree.map(lambda p, g: p - 0.3 * g, params, gradient)
  run = jax.jit(
    lambda: run_probes(
      chosen,
      MODEL,
      VARIABLES,
      X,
      loss_fn=_loss,
      update_fn=lambda g: jax.tree.map(lambda g: -0.3 * g, g),
      train=True,
      rngs=KEYS,
    )
  )
  found = run()
  kernels = [f"dense_{i}/kernel" for i in range(3)]
  assert [*found["cosine"]] == kernels
  others = {"dropout": jax.random.fold_in(KEYS["dropout"], 1)}
  dense = [
    capture(
      MODEL, {**VARIABLES, "params": p}, X, train=True, rngs=rngs
    ).outputs["dense_2"]
    for p, rngs in ((params, KEYS), (updated, KEYS), (updated, others))
  ]
  close = partial(np.testing.assert_allclose, rtol=1e-3, atol=1e-5)
  close(found["mean"]["dense_2"], mean_drift(Pair(*dense[:2])))
  close(found["anew"]["dense_2"], mean_drift(Pair(*dense[::2])))
  units = found["units"]["dense_2"]
  assert units.shape == (5,)
  close(np.median(units), wasserstein_drift(Pair(*dense[:2])))
  # The layers in the order of calls, not of names: output is the last.
  mixed = {**updated, "output": params["output"]}
  by_output = lambda params: jax.grad(loss)(params)["output"]["kernel"]
  before, after = by_output(params), by_output(mixed)
  change = np.linalg.norm(after - before) / np.linalg.norm(before)
  close(found["change"]["output/kernel"], change)
  assert found["cosine"]["dense_0/kernel"] == pytest.approx(1, abs=1e-5)
  mixed = {
    key: (updated if key in ("dense_0", "norm_0") else params)[key]
    for key in params
  }
  before, after = (
    np.ravel(jax.grad(loss)(p)["dense_1"]["kernel"]) for p in (params, mixed)
  )
  cosine = before @ after / np.linalg.norm(before) / np.linalg.norm(after)
  close(found["cosine"]["dense_1/kernel"], cosine)
  seen = along_gradient(loss, params, jnp.array([0.1, 1.0]))
  distance = seen.changes * optax.tree.norm(gradient)
  close(found["along"]["loss"], np.stack([*seen[2:], distance], 1))
  pairs = top_eigenpairs(loss, params, jax.random.key(1), count=2)
  shares = share_in_span(pairs.vectors, output_mean_gradients(apply, params))
  expected = np.stack([pairs.values, shares], 1)
  np.testing.assert_allclose(
    found["curvature"]["loss"], expected, rtol=0.05, atol=0.05
  )
  rows = to_rows(found)
  assert {row["layer"] for row in rows} >= {"loss", "dense_2"}
  assert all("values" in row for row in rows)


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


def test_a_layer_relative_to_another():
  probes = make_probes(
    {
      "ratio": {
        "measure": "norm",
        "layers": ["activation_1", "activation_*"],
        "relative": "preactivation_*",
      },
      "of_first": {
        "measure": "norm",
        "of": "gradient",
        "layers": "dense_*/kernel",
        "relative": "dense_0/kernel",
      },
    }
  )
  seen = capture(MODEL, VARIABLES, X, loss_fn=_loss, train=True, rngs=KEYS)
  results = run_probes(
    probes, MODEL, VARIABLES, X, loss_fn=_loss, train=True, rngs=KEYS
  )
  norm = np.linalg.norm
  for i in range(3):
    rectified, whole = (
      norm(seen.outputs[f"{name}_{i}"])
      for name in ("activation", "preactivation")
    )
    np.testing.assert_allclose(
      results["ratio"][f"activation_{i}"], rectified / whole, rtol=1e-5
    )
    np.testing.assert_allclose(
      results["of_first"][f"dense_{i}/kernel"],
      norm(seen.gradients[f"dense_{i}/kernel"])
      / norm(seen.gradients["dense_0/kernel"]),
      rtol=1e-5,
    )
  wrong = {"measure": "norm", "layers": "activation_*", "relative": "skip_*"}
  with pytest.raises(
    UserError, match=r"^probes\.p\.relative: 'skip_0' is not known; "
  ):
    run_probes(make_probes({"p": wrong}), MODEL, VARIABLES, X, train=False)


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
      r"__call__, activation_0, activation_1, .*, norm_2, .*output, pre",
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
