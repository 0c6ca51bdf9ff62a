"""The residual network: its blocks, how branches start, and what grows."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, residual_mlp
from bnjax.lab.models.residual_branches import BRANCHES
from bnjax.lab.probes import capture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(16, 5)).astype(np.float32)


def _init(norm="none", x=X, **fields):
  options = {"width": 6, "depth": 2, **fields}
  model = residual_mlp(num_classes=4, norm=NORMS[norm], **options)
  variables = jax.jit(lambda: model.init(jax.random.key(0), x, train=False))
  return model, variables()


def _seen(model, variables, x=X):
  return jax.jit(lambda v, x: capture(model, v, x, train=True))(variables, x)


def _randomized(variables):
  return jax.tree.map(
    lambda w: w + RNG.normal(0, 0.3, w.shape).astype(np.float32), variables
  )


def _expected(params, x, branch, scale, normalize):
  """The network in NumPy: what enters each block, each branch, the logits."""
  p = jax.tree.map(np.float64, params)
  root = np.sqrt(0.1)

  def dense(name, x):
    return x @ p[name]["kernel"] + p[name].get("bias", 0)

  def activate(place, x):
    x = normalize(x)
    if normalize is not _same:
      own = p[f"norm_{place}"]
      x = x * own["scale"] + own["bias"]
    x = np.maximum(x + root * p.get(f"bias_{place}_before", 0), 0)
    return x + root * p.get(f"bias_{place}_after", 0)

  x = dense("stem", np.float64(x))
  skips, branches = [], []
  for i in range(2):
    y = x
    for j in range(2):
      y = dense(f"dense_{i}_{j}", activate(f"{i}_{j}", y))
    factor = {"constant": 1.0, "skip_init": p.get(f"multiplier_{i}"),
              "fixup": root * p.get(f"multiplier_{i}", 0)}[branch]  # fmt: skip
    skips.append(x)
    branches.append(scale * factor * y)
    x = x + branches[-1]
  return skips, branches, dense("output", activate("last", x))


def _same(x):
  return x


@pytest.mark.parametrize("norm", ["none", "batch_norm"])
@pytest.mark.parametrize("branch", BRANCHES)
def test_is_a_stem_blocks_and_a_classifier(branch, norm):
  model, variables = _init(norm, branch=branch, branch_scale=0.5)
  params = _randomized(variables)["params"]
  seen = _seen(model, {**variables, "params": params})
  normalize = {
    "none": _same,
    "batch_norm": lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5),
  }[norm]
  skips, branches, logits = _expected(params, X, branch, 0.5, normalize)
  close = {"rtol": 1e-4, "atol": 1e-4}
  for i in range(2):
    np.testing.assert_allclose(seen.outputs[f"skip_{i}"], skips[i], **close)
    np.testing.assert_allclose(
      seen.outputs[f"branch_{i}"], branches[i], **close
    )
  np.testing.assert_allclose(seen.output, logits, **close)
  assert seen.output.shape == (16, 4)
  np.testing.assert_array_equal(seen.outputs["input"], X)


def test_without_skips_branches_follow_each_other():
  model, variables = _init(skip=False)
  outputs = _seen(model, variables).outputs
  np.testing.assert_array_equal(outputs["skip_1"], outputs["branch_0"])
  np.testing.assert_array_equal(outputs["last"], outputs["branch_1"])


def _unrolled(stacked, depth=2):
  """The arrays of blocks that are a loop, as those of blocks one by one."""
  tree = {name: own for name, own in stacked.items() if name != "blocks"}
  for name, own in stacked["blocks"].items():
    kind, _, layer = name.partition("_")
    for i in range(depth):
      of = "_".join([kind, str(i), *filter(None, [layer])])
      tree[of] = jax.tree.map(lambda w, i=i: w[i], own)
  return tree


@pytest.mark.parametrize(
  ("norm", "fields"),
  [
    ("batch_norm", {"branch": "skip_init"}),
    ("none", {"branch": "fixup", "skip": False}),
  ],
)
def test_a_loop_over_blocks_is_the_same_network(norm, fields):
  model, variables = _init(norm, scanned=True, branch_scale=0.5, **fields)
  variables = {**variables, "params": _randomized(variables["params"])}
  one_by_one, _ = _init(norm, branch_scale=0.5, **fields)
  apply = lambda model: (
    lambda v: model.apply(v, X, train=True, mutable=["batch_stats"])
  )
  y, state = jax.jit(apply(model))(variables)
  expected, same = jax.jit(apply(one_by_one))(
    {name: _unrolled(own) for name, own in variables.items()}
  )
  close = {"rtol": 1e-4, "atol": 1e-5}
  np.testing.assert_allclose(y, expected, **close)
  for name, own in state.items():
    jax.tree.map(
      lambda a, b: np.testing.assert_allclose(a, b, **close),
      _unrolled(own),
      same[name],
    )
  assert bool(state) == (norm == "batch_norm")


def test_taps_and_kernels_of_a_loop_over_blocks():
  model, variables = _init(scanned=True, width=100, depth=3)
  kernel = variables["params"]["blocks"]["dense_1"]["kernel"]
  assert kernel.shape == (3, 100, 100)
  np.testing.assert_allclose(kernel.std((1, 2)), (2 / 100) ** 0.5, rtol=0.05)
  assert abs(np.corrcoef(kernel[0].ravel(), kernel[1].ravel())[0, 1]) < 0.05
  outputs = _seen(model, variables).outputs
  skip, branch = outputs["blocks/skip"], outputs["blocks/branch"]
  assert skip.shape == branch.shape == (3, 16, 100)
  np.testing.assert_array_equal(skip[0], outputs["stem"])
  np.testing.assert_allclose(skip[1:], (skip + branch)[:-1], rtol=1e-5)


@pytest.mark.parametrize("branch", ["skip_init", "fixup"])
def test_it_starts_as_the_identity(branch):
  model, variables = _init(branch=branch)
  seen = _seen(model, variables)
  np.testing.assert_array_equal(seen.outputs["last"], seen.outputs["stem"])
  assert np.any(seen.outputs["stem"])
  assert np.any(seen.output) == (branch == "skip_init")


@pytest.mark.parametrize(
  ("layers", "power"), [(1, None), (2, -1 / 2), (3, -1 / 4)]
)
def test_the_scales_of_fixup(layers, power):
  """Of L blocks of m layers: L^(-1 / (2 m - 2)), the last zero."""
  fields = {"width": 100, "depth": 4, "branch_layers": layers}
  _, variables = _init(branch="fixup", **fields)
  params = variables["params"]
  assert not np.any(params[f"dense_2_{layers - 1}"]["kernel"])
  assert not np.any(params["output"]["kernel"])
  for j in range(layers - 1):
    std = np.std(params[f"dense_2_{j}"]["kernel"])
    np.testing.assert_allclose(std, (2 / 100) ** 0.5 * 4**power, rtol=0.03)
  np.testing.assert_allclose(params["multiplier_0"] * 0.1**0.5, 1, rtol=1e-6)
  assert params["multiplier_0"].shape == params["bias_0_0_before"].shape == ()
  assert not any("bias" in params[f"dense_0_{j}"] for j in range(layers))


@pytest.mark.parametrize("momentum", [None, 0.9])
def test_scalars_of_fixup_learn_at_a_tenth_of_the_rate(momentum):
  """How far a step moves them is seen by what they multiply and shift."""
  model, variables = _init(branch="fixup", depth=1)
  start = variables["params"]
  params = _randomized(start) | {"multiplier_0": start["multiplier_0"]}
  loss = lambda outputs: jnp.sum(outputs**2)
  see = jax.jit(
    lambda p: capture(model, {"params": p}, X, loss_fn=loss, train=True)
  )
  before, optimizer = see(params), optax.sgd(1e-3, momentum)
  gradient = {
    k: before.gradients[k] for k in ("multiplier_0", "bias_last_after")
  }
  updates, _ = optimizer.update(gradient, optimizer.init(gradient))

  def after(name):
    return see(params | {name: params[name] + updates[name]})

  # The multiplier is 1, so its derivative is that of the branch times it.
  branch, slope = (
    seen["branch_0"] for seen in (before.outputs, before.output_gradients)
  )
  step = -1e-3 * 0.1 * jnp.sum(branch * slope)
  moved = after("multiplier_0").outputs["branch_0"] - branch
  np.testing.assert_allclose(moved, step * branch, rtol=0.01, atol=1e-6)
  # The bias shifts every feature that enters the classifier.
  columns = params["output"]["kernel"].sum(0)
  step = -1e-3 * 0.1 * jnp.sum(before.output_gradients["output"] @ columns)
  moved = after("bias_last_after").output - before.output
  wanted = jnp.broadcast_to(step * columns, moved.shape)
  np.testing.assert_allclose(moved, wanted, rtol=0.01, atol=1e-6)
  assert np.max(np.abs(wanted)) > 1e-4


@pytest.mark.parametrize(
  ("fields", "power"),
  [
    ({}, lambda block: 2.0**block),
    ({"branch_scale": 0.5}, lambda block: 1.25**block),
    ({"norm": "batch_norm", "branch_scale": 0.5}, lambda block: 1 + block / 4),
  ],
)
def test_what_enters_a_block_grows_as_theory_has_it(fields, power):
  """Linear, of kernels that keep the power: times 1 + c², or by c² with a norm.

  ReLU by He does the same but for batch norm's 1, see the next test.
  """
  x = RNG.normal(size=(128, 256)).astype(np.float32)
  common = {"width": 256, "depth": 3, "activation": "identity", "init": "lecun"}
  model, variables = _init(x=x, **common, **fields)
  outputs = _seen(model, variables, x).outputs
  for i in range(4):
    seen = outputs["last" if i == 3 else f"skip_{i}"]
    start = np.mean(np.square(outputs["skip_0"]))
    relative = np.mean(np.square(seen)) / (start if "norm" not in fields else 1)
    wanted = power(i) - (1 - start if "norm" in fields else 0)
    np.testing.assert_allclose(relative, wanted, rtol=0.1)


def test_with_relu_branches_of_batch_norm_are_of_one_size():
  x = RNG.normal(size=(128, 256)).astype(np.float32)
  model, variables = _init("batch_norm", x, width=256, depth=2)
  outputs = _seen(model, variables, x).outputs
  for i in range(2):
    branch = outputs[f"branch_{i}"]
    np.testing.assert_allclose(np.mean(np.square(branch)), 1, rtol=0.15)


def test_padding_does_not_matter():
  model, variables = _init("batch_norm", branch="fixup")
  variables = {**variables, "params": _randomized(variables["params"])}
  padded = np.concatenate([X, np.full((3, 5), 1e3, np.float32)])
  mask = np.arange(19) < 16
  apply = jax.jit(
    lambda x, mask=None: model.apply(
      variables, x, train=True, mask=mask, mutable=["batch_stats"]
    )
  )
  (y, state), (expected, same) = apply(padded, mask), apply(X)
  np.testing.assert_allclose(y[:16], expected, rtol=1e-4, atol=1e-4)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5),
    state,
    same,
  )


def test_it_takes_images_and_refuses_another_branch():
  model, variables = _init(x=np.ones((2, 3, 3, 1), np.float32))
  assert variables["params"]["stem"]["kernel"].shape == (9, 6)
  with pytest.raises(UserError, match=r"model\.branch: 'fix'"):
    residual_mlp(num_classes=4, norm=None, branch="fix")
  assert isinstance(model, nn.Module)
