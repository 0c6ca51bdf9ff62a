"""The convolutional residual network beside PyTorch's, and how it starts."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bnjax.lab.errors import UserError
from bnjax.lab.models import NORMS, resnet
from bnjax.lab.models.resnet import ORDERS
from bnjax.lab.probes import capture

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4, 7, 6, 3)).astype(np.float32)


def _init(norm="none", x=X, **fields):
  options = {"widths": (4, 6), "blocks": 1, **fields}
  model = resnet(num_classes=5, norm=NORMS[norm], **options)
  variables = jax.jit(lambda: model.init(jax.random.key(0), x, train=False))
  return model, variables()


def _seen(model, variables, x=X):
  return jax.jit(lambda v, x: capture(model, v, x, train=True))(variables, x)


def _shapes(norm="batch_norm", size=32, **fields):
  model = resnet(num_classes=10, norm=NORMS[norm], **fields)
  x = jnp.zeros((2, size, size, 3))
  init = lambda: model.init(jax.random.key(0), x, train=False)
  return jax.eval_shape(init)["params"]


def _count(params):
  return sum(leaf.size for leaf in jax.tree.leaves(params))


@pytest.mark.parametrize(
  ("blocks", "every", "norms"),
  [(2, 175_258, 1_120), (5, 466_906, 2_464), (9, 855_770, 4_256)],
)
def test_as_many_parameters_as_published(blocks, every, norms):
  """Frankle et al. 2021, table 1: 175K and 1.1K, 467K and 2.5K, 856K and 4.3K.

  ResNet-14, 32 and 56.
  """
  params = _shapes(blocks=blocks)
  own = {name: leaf for name, leaf in params.items() if "norm" in name}
  assert (_count(params), _count(own)) == (every, norms)


def test_as_many_parameters_with_padding():
  """He et al. 2015, table 6: .27M in ResNet-20, .46M in 32, .85M in 56."""
  for blocks, every in ((3, 269_722), (5, 464_154), (9, 853_018)):
    assert _count(_shapes(blocks=blocks, shortcut="padding")) == every


def _torch_expected(params, fields):
  """The same in PyTorch, in float64: skips, branches, logits."""
  torch = pytest.importorskip("torch")
  functional = torch.nn.functional
  p = jax.tree.map(lambda w: torch.asarray(np.asarray(w, np.float64)), params)
  first = fields["order"] == "preactivation"
  root = np.sqrt(0.1)

  def conv(name, x, stride=1):
    kernel = p[name]["kernel"].permute(3, 2, 0, 1)
    padding = kernel.shape[-1] // 2
    return functional.conv2d(x, kernel, p[name].get("bias"), stride, padding)

  def norm(name, x):
    if name not in p:
      return x
    scale, bias = p[name]["scale"], p[name]["bias"]
    return functional.batch_norm(x, None, None, scale, bias, training=True)

  def plus(name, x):
    return x + root * p.get(name, 0)

  def activate(place, x, normalized=False):
    x = x if normalized else norm(f"norm_{place}", x)
    x = functional.relu(plus(f"bias_{place}_before", x))
    return plus(f"bias_{place}_after", x)

  x = conv("conv_stem", torch.from_numpy(np.float64(X)).permute(0, 3, 1, 2), 2)
  x = x if first else activate("stem", x)
  skips, branches = [], []
  for i, stride in enumerate((1, 2)):
    y = entered = activate(f"{i}_0", x) if first else plus(f"bias_{i}_first", x)
    for j in range(2):
      y = conv(f"conv_{i}_{j}", y, 1 if j else stride)
      if first and j == 0:
        y = activate(f"{i}_1", y)
      elif not first:
        y = norm(f"norm_{i}_1", y) if j else activate(f"{i}_0", y)
    factor = p.get(f"multiplier_{i}", 1) * fields["branch_scale"]
    factor = factor * (root if fields["branch"] == "fixup" else 1)
    if stride == 2 and fields["shortcut"] == "projection":
      x = norm(f"norm_shortcut_{i}", conv(f"shortcut_{i}", entered, 2))
    elif stride == 2:
      x = functional.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, 2))
    skips.append(x)
    branches.append(factor * y)
    x = x + branches[-1]
    x = x if first else activate(f"{i}_1", x, normalized=True)
  x = activate("last", x) if first else x
  logits = plus("bias_output", x.mean((2, 3))) @ p["output"]["kernel"]
  logits = logits + p["output"]["bias"]
  images = lambda maps: [m.permute(0, 2, 3, 1).numpy() for m in maps]
  return images(skips), images(branches), logits.numpy()


@pytest.mark.parametrize(
  ("order", "shortcut", "branch", "norm"),
  [
    ("postactivation", "projection", "constant", "batch_norm"),
    ("postactivation", "padding", "fixup", "none"),
    ("postactivation", "projection", "fixup", "none"),
    ("preactivation", "projection", "constant", "batch_norm"),
    ("preactivation", "padding", "skip_init", "none"),
    ("preactivation", "projection", "fixup", "none"),
  ],
)
def test_agrees_with_pytorch(order, shortcut, branch, norm):
  """Skips, branches and logits, at parameters far from where they start."""
  fields = {"order": order, "shortcut": shortcut, "branch": branch}
  fields["branch_scale"] = 0.5
  model, variables = _init(norm, stem_stride=2, **fields)
  params = jax.tree.map(
    lambda w: w + RNG.normal(0, 0.3, w.shape).astype(np.float32),
    variables["params"],
  )
  seen = _seen(model, {**variables, "params": params})
  skips, branches, logits = _torch_expected(params, fields)
  close = {"rtol": 1e-3, "atol": 2e-4}
  for i in range(2):
    np.testing.assert_allclose(seen.outputs[f"skip_{i}"], skips[i], **close)
    np.testing.assert_allclose(
      seen.outputs[f"branch_{i}"], branches[i], **close
    )
  np.testing.assert_allclose(seen.output, logits, **close)
  assert seen.outputs["branch_1"].shape == (4, 2, 2, 6)
  np.testing.assert_array_equal(seen.outputs["input"], X)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("branch", ["skip_init", "fixup"])
def test_it_starts_as_its_shortcuts(branch, order):
  """Of one stage the identity, of more what the shortcuts make of it."""
  model, variables = _init(
    branch=branch, order=order, widths=(4,), blocks=2, branch_layers=3
  )
  seen = _seen(model, variables)
  np.testing.assert_array_equal(seen.outputs["last"], seen.outputs["stem"])
  assert np.any(seen.outputs["stem"])
  assert np.any(seen.output) == (branch == "skip_init")
  model, variables = _init(branch=branch, order=order)
  outputs = _seen(model, variables).outputs
  assert outputs["shortcut_1"].shape == outputs["last"].shape == (4, 4, 3, 6)
  shortcut = outputs["shortcut_1"]
  rectified = np.maximum(shortcut, 0) if order == ORDERS[0] else shortcut
  np.testing.assert_array_equal(outputs["last"], rectified)


def test_shortcuts_by_padding():
  model, variables = _init(branch="skip_init", shortcut="padding")
  outputs = _seen(model, variables).outputs
  stem, last = outputs["stem"], outputs["last"]
  np.testing.assert_array_equal(last[..., :4], stem[:, ::2, ::2])
  np.testing.assert_array_equal(last[..., 4:], 0)
  narrower, variables = _init(widths=(4, 3), shortcut="padding")
  outputs = _seen(narrower, variables).outputs
  before = np.maximum(outputs["skip_0"] + outputs["branch_0"], 0)
  np.testing.assert_array_equal(outputs["skip_1"], before[:, ::2, ::2, :3])


@pytest.mark.parametrize("order", ORDERS)
def test_without_skips_branches_follow_each_other(order):
  model, variables = _init("batch_norm", skip=False, order=order)
  outputs = _seen(model, variables).outputs
  branch = outputs["branch_1"]
  last = np.maximum(branch, 0) if order == ORDERS[0] else branch
  np.testing.assert_array_equal(outputs["last"], last)
  assert not any("shortcut" in name or "skip" in name for name in outputs)


def test_how_kernels_of_fixup_start():
  """L^-1/2 of He's for the first of two, L the blocks of all stages."""
  _, variables = _init(branch="fixup", widths=(60, 60), blocks=2)
  params = variables["params"]
  for i in range(4):
    std = np.std(params[f"conv_{i}_0"]["kernel"])
    he = (2 / (9 * 60)) ** 0.5
    np.testing.assert_allclose(std, he * 4**-0.5, rtol=0.03)
    assert not np.any(params[f"conv_{i}_1"]["kernel"])
    np.testing.assert_allclose(params[f"multiplier_{i}"] * 0.1**0.5, 1, 1e-6)
  biases = {name for name in params if name.startswith("bias")}
  where = ("first", "0_before", "0_after", "1_before")
  blocks = {f"bias_{i}_{place}" for i in range(4) for place in where}
  assert biases == {"bias_stem_before", "bias_output", *blocks}
  assert {params[name].shape for name in biases} == {()}
  assert not any(
    "bias" in params[f"conv_{i}_{j}"] for i in (0, 3) for j in (0, 1)
  )


def test_convolutions_have_a_bias_where_nothing_else_shifts():
  for norm, branch, has in (
    ("none", "constant", True),
    ("none", "fixup", False),
    ("batch_norm", "constant", False),
  ):
    params = _shapes(norm, branch=branch)
    for name in ("conv_stem", "conv_3_1", "shortcut_2"):
      assert ("bias" in params[name]) == has


def test_padding_of_the_batch_does_not_matter():
  model, variables = _init("batch_norm")
  padded = np.concatenate([X, np.full((2, *X.shape[1:]), 1e3, np.float32)])
  apply = jax.jit(
    lambda x, mask=None: model.apply(
      variables, x, train=True, mask=mask, mutable=["batch_stats"]
    )
  )
  (y, state), (expected, same) = apply(padded, np.arange(6) < 4), apply(X)
  np.testing.assert_allclose(y[:4], expected, rtol=1e-3, atol=1e-4)
  jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4),
    state,
    same,
  )


@pytest.mark.parametrize(
  ("fields", "message"),
  [
    ({"branch": "fix"}, r"model\.branch: 'fix'"),
    ({"order": "before"}, r"model\.order: 'before'"),
    ({"shortcut": "none"}, r"model\.shortcut: 'none'"),
    ({"widths": ()}, r"model\.widths: "),
    ({"blocks": 0}, r"model\.blocks: 0 is too small"),
  ],
)
def test_it_refuses_what_it_does_not_know(fields, message):
  with pytest.raises(UserError, match=message):
    resnet(num_classes=4, norm=None, **fields)


def test_it_takes_images():
  model = resnet(num_classes=4, norm=None)
  with pytest.raises(UserError, match=r"takes images .* of shape \(5,\)"):
    model.init(jax.random.key(0), jnp.zeros((2, 5)), train=False)
