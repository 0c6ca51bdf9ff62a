"""Wrong arguments are refused in every mode, and the message names them."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import bnjax.nnx
from bnjax import ops
from bnjax.linen import BatchNorm

X = jnp.asarray(np.random.default_rng(0).normal(3, 2, (6, 3)), jnp.float32)
RULE = ops.ema(0.9)
SOME = ops.Moments(jnp.float32(6), X.mean(0), X.var(0) * 6)


def linen(x=X, train=True, **fields):
  norm = BatchNorm(**fields)
  variables = {
    "params": {"scale": jnp.ones(3), "bias": jnp.zeros(3)},
    "batch_stats": {"mean": jnp.zeros(3), "var": jnp.ones(3)},
  }
  return norm.apply(
    variables, x, use_running_average=not train, mutable=["batch_stats"]
  )


def made(train=True, **fields):
  norm = bnjax.nnx.BatchNorm(3, rngs=nnx.Rngs(0), **fields)
  return norm(X, use_running_average=not train)


def apply(source, **fields):
  running = ops.init_running(3)
  fields = {"rule": RULE, **fields}
  return ops.apply_batch_norm(
    X, None, None, running, normalize_with=source, **fields
  )


# Every way to give an activation, and every value of a field of the modules.
WAYS = {
  "batch_norm": lambda **f: ops.batch_norm(X, **f),
  "apply_batch": lambda **f: apply("batch", **f),
  "apply_running": lambda **f: apply("running", update=False, **f),
  "ghost": lambda **f: ops.ghost_batch_norm(X, groups=2, **f),
  "linen_train": lambda **f: linen(**f),
  "linen_infer": lambda **f: linen(train=False, **f),
  "linen_init": lambda **f: BatchNorm(**f).init(
    jax.random.key(0), X, use_running_average=True
  ),
  "nnx_train": lambda **f: made(**f),
  "nnx_infer": lambda **f: made(train=False, **f),
}
MODULES = [name for name in WAYS if name.startswith(("linen", "nnx"))]


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_activation_is_none_or_relu(way):
  for activation in ("Relu", "gelu", jax.nn.relu, True, X):
    with pytest.raises(ValueError, match="activation must be None or 'relu'"):
      way(activation=activation)


WRONG_FIELDS = [
  ("normalize_with", "", ValueError, "'batch' or 'running', got ''"),
  ("normalize_with", "ema", ValueError, "'batch' or 'running', got 'ema'"),
  ("missing_axis", "Ignore", ValueError, "'error' or 'ignore', got 'Ignore'"),
  ("update_running", "no", TypeError, "None or True or False, got 'no'"),
  ("train_affine", None, TypeError, "train_affine must be True or False"),
  ("skip_nonfinite", "yes", TypeError, "skip_nonfinite must be"),
  ("epsilon", -1e-5, ValueError, "epsilon must be .*at least 0, got -1e-05"),
  ("epsilon", float("nan"), ValueError, "epsilon must .*nan"),
  ("epsilon", np.inf, ValueError, "epsilon must be finite"),
  ("epsilon", "1e-5", TypeError, "epsilon must be a number, got '1e-5'"),
  ("momentum", 1.5, ValueError, r"momentum must lie in \[0, 1\], got 1.5"),
  ("momentum", None, TypeError, "momentum must be a number, got None"),
  ("groups", [[0, 1]], TypeError, "groups is the number of ghost batches"),
  ("groups", True, TypeError, "number of ghost batches.*got True"),
  ("groups", 2.0, TypeError, "number of ghost batches.*got 2.0"),
  ("groups", 0, ValueError, "0 groups do not divide .*ghost batches"),
  ("rule", "ema", ValueError, r"bnjax.ema\(0.9\).*pytorch.*got 'ema'"),
  ("rule", 0.9, TypeError, r"bnjax.ema\(0.9\).*got 0.9"),
  ("rule", ops.ema, TypeError, r"bnjax.ema\(0.9\).*got <function ema"),
  ("axis", True, TypeError, "axis must be an integer.*got True"),
  ("axis", (-1, 1), ValueError, "axis names an axis twice|axis .* is none"),
  ("axis", 4, ValueError, "axis"),
]


@pytest.mark.parametrize("way", MODULES)
@pytest.mark.parametrize(("field", "value", "error", "match"), WRONG_FIELDS)
def test_fields_of_modules(way, field, value, error, match):
  with pytest.raises(error, match=match):
    WAYS[way](**{field: value})


def test_every_field_of_ours_is_checked():
  ours = set(inspect.signature(bnjax.nnx.BatchNorm.__init__).parameters)
  ours -= {"self", "num_features", "rngs", "arguments"}
  assert ours <= {name for name, *_ in WRONG_FIELDS} | {"activation"}


def test_switches_of_a_call():
  variables = BatchNorm().init(jax.random.key(0), X, use_running_average=True)
  for norm in (
    BatchNorm().bind(variables),
    bnjax.nnx.BatchNorm(3, rngs=nnx.Rngs(0)),
  ):
    with pytest.raises(ValueError, match=r"normalize_with must be .* got ''"):
      norm(X, normalize_with="")
    with pytest.raises(TypeError, match="update_running must be"):
      norm(X, normalize_with="running", update_running="no")


def test_width_of_nnx_names_num_features():
  norm = bnjax.nnx.BatchNorm(4, rngs=nnx.Rngs(0))
  for train in (True, False):
    with pytest.raises(ValueError, match="num_features=4"):
      norm(X, use_running_average=not train)


# Rules.


@pytest.mark.parametrize("rule", [ops.ema, ops.debiased_ema])
@pytest.mark.parametrize(
  ("decay", "error", "match"),
  [
    (None, TypeError, "decay must be a number, got None.*cumulative"),
    ("0.9", TypeError, "decay must be a number, got '0.9'"),
    (True, TypeError, "got True"),
    (np.bool_(True), TypeError, "got True"),
    (jnp.array(True), TypeError, "decay must be a number"),
    (0.9j, TypeError, "decay must be a number"),
    (-0.1, ValueError, r"decay must lie in \[0, 1\], got -0.1"),
    (float("nan"), ValueError, "got nan"),
    (np.float32(1.5), ValueError, "got 1.5"),
    (jnp.float32(1.5), ValueError, "got 1.5"),
    (jnp.array([0.5, 0.9]), ValueError, r"one number, got \(2,\).*vmap"),
    (np.array([0.5]), ValueError, "one number"),
  ],
)
def test_decay_is_a_number_from_0_to_1(rule, decay, error, match):
  with pytest.raises(error, match=match):
    rule(decay)


def test_numbers_of_any_library_are_decays():
  numbers = (0.5, np.float32(0.5), np.float64(0.5), np.array(0.5), 1, 0)
  assert [ops.ema(n).decay for n in numbers] == [0.5] * 4 + [1, 0]
  assert ops.ema(jnp.bfloat16(0.5)).decay == 0.5
  assert jax.jit(lambda d: ops.ema(d).decay)(0.25) == 0.25
  rules = jax.vmap(ops.ema)(jnp.array([0.25, 0.5]))
  means = jax.vmap(ops.update_running, (None, None, 0))(
    ops.init_running(3), SOME, rules
  ).mean
  np.testing.assert_allclose(means, [0.75 * X.mean(0), 0.5 * X.mean(0)], 1e-6)


def test_a_preset_or_its_name_stands_for_its_rule():
  preset = ops.PRESETS["pytorch"]
  want = ops.update_running(ops.init_running(3), SOME, preset.rule)
  for rule in ("pytorch", preset):
    got = ops.update_running(ops.init_running(3), SOME, rule)
    jax.tree.map(np.testing.assert_array_equal, got, want)
    stats = linen(rule=rule)[1]["batch_stats"]
    np.testing.assert_allclose(stats["var"], want.var, rtol=1e-6)
    norm = bnjax.nnx.BatchNorm(3, rule=rule, rngs=nnx.Rngs(0))
    norm(X)
    np.testing.assert_allclose(norm.var[...], want.var, rtol=1e-6)
    _, running = apply("running", rule=rule)
    np.testing.assert_allclose(running.var, want.var, rtol=1e-6)
  assert norm.epsilon == 1e-5


@pytest.mark.parametrize("rule", [0.9, "sgd", ops.ema, None])
def test_what_is_no_rule(rule):
  running = ops.init_running(3)
  for use in (
    lambda: ops.update_running(running, SOME, rule),
    lambda: apply("running", rule=rule, update=False),
    lambda: ops.batch_renorm(X, None, None, running, rule=rule, update=False),
  ):
    with pytest.raises((TypeError, ValueError), match=r"ema\(0.9\).*pytorch"):
      use()


def test_switches_are_true_or_false():
  running = ops.init_running(3)
  ghosts = ops.ghost_batch_norm(X, groups=2)[1]
  for use, name in (
    (
      lambda v: ops.update_running(running, SOME, RULE, skip_nonfinite=v),
      "skip",
    ),
    (lambda v: apply("running", update=v), "update"),
    (lambda v: apply("batch", train_affine=v), "train_affine"),
    (lambda v: apply("batch", skip_nonfinite=v), "skip"),
    (
      lambda v: ops.batch_renorm(X, None, None, running, rule=RULE, update=v),
      "update",
    ),
    (lambda v: ops.merge_ghosts(ghosts, between=v), "between"),
    (lambda v: ops.ema(0.9, unbiased=v), "unbiased"),
    (lambda v: ops.cumulative(unbiased=v), "unbiased"),
  ):
    for value in ("no", None, 2, X):
      with pytest.raises(TypeError, match=f"{name}.* must be True or False"):
        use(value)


# Integers.


def test_axes_are_integers_of_any_kind():
  want = ops.batch_moments(X, feature_axes=0)
  for axis in (np.int64(0), np.int8(-2), np.array(0), jnp.int32(0), [0]):
    got = ops.batch_moments(X, feature_axes=axis)
    jax.tree.map(np.testing.assert_array_equal, got, want)
  got = ops.batch_moments(X, feature_axes=np.array([0, 1]))
  assert got.mean.shape == X.shape
  for axis in (True, np.bool_(False), "0", 0.0, None, [[0]], [True]):
    with pytest.raises(TypeError, match="feature_axes must be an integer"):
      ops.batch_moments(X, feature_axes=axis)


def test_groups_is_a_number():
  for use in (
    lambda groups: ops.ghost_batch_norm(X, groups=groups),
    lambda groups: ops.group_norm(X, groups=groups),
    lambda groups: ops.whiten(X, groups=groups),
    lambda groups: ops.init_covariance(3, groups=groups),
  ):
    for groups in ([[0, 1]], 1.0, True, None):
      with pytest.raises(TypeError, match="groups is the number of"):
        use(groups)
