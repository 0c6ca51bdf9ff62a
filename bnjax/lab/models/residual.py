"""A residual multilayer perceptron, whose branches start in several ways."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.models import layers
from bnjax.lab.models.arguments import (
  Layers,
  activation_of,
  check_model,
  kernel_init_of,
)
from bnjax.lab.models.initializers import Initializer
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.registry import Count, Traced

BRANCHES = ("constant", "skip_init", "fixup")
_SLOW = 0.1  # of the learning rate, for Fixup's biases and multipliers


class ResidualMLP(nn.Module):
  """A dense stem, `depth` blocks `x + branch(x)`, and a linear classifier.

  A branch is `branch_layers` times norm, activation, dense ("preactivation"),
  and is multiplied by `branch_scale` and by what `branch` says:

  - `constant`: nothing else.
  - `skip_init`: a learned scalar that starts at 0.
  - `fixup`: a learned scalar that starts at 1. The branch's last kernel starts
    at zero, the others multiplied by `depth^(-1 / (2 branch_layers - 2))`; the
    classifier's starts at zero. Scalar biases before each activation and each
    dense layer take the place of the branches' own. These scalars learn at a
    tenth of the rate of gradient descent, with or without momentum: each is √.1
    times its parameter. (Of an optimizer that divides by the gradient's size,
    such as Adam, it is √.1 of the rate.)

  A norm and the activation precede the classifier. Taps name what enters
  block i, "skip_i", and what it adds to that, "branch_i", from 0; "input"; and
  what leaves the last block, "last".

  Attributes:
    width: units in each layer.
    depth: number of blocks.
    branch_layers: dense layers in each branch.
    initializer: a name in `INITIALIZERS`, for every kernel that is not said to
      start otherwise; biases start at zero, with `torch` as in PyTorch.
    branch: "constant", "skip_init" or "fixup".
    branch_scale: a constant that multiplies every branch, such as 1/√2 or
      1/√depth.
    skip: whether there are skip connections. Without them it is the same
      network but for that: what enters a block is the branch before.

  References:
    He et al. (2016), Identity mappings in deep residual networks,
    arXiv:1603.05027, of the order in a block; De and Smith (2020),
    arXiv:2002.10444, of SkipInit; Zhang, Dauphin and Ma (2019),
    arXiv:1901.09321, of Fixup.
  """

  num_classes: int
  norm: Norm | None
  width: Count = 64
  depth: Layers = 8
  branch_layers: Count = 2
  activation: str = "relu"
  initializer: str = "he"
  init_scale: Traced[float] = 1.0
  branch: str = "constant"
  branch_scale: Traced[float] = 1.0
  skip: bool = True

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_model(self, branch=BRANCHES)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples `[n, ...]` to logits `[n, num_classes]`."""
    fixup = self.branch == "fixup"

    def activate(x: jax.Array, place: str) -> jax.Array:
      tap = Tap(name=f"preactivation_{place}")
      act = activation_of(self)
      biased = lambda x: self._biased(
        act(self._biased(x, f"bias_{place}_before")), f"bias_{place}_after"
      )
      return layers.finish(
        {f"norm_{place}": x},
        norm=self.norm,
        placement="before",
        activation=biased if fixup else act,
        train=train,
        mask=mask,
        tap=tap,
      )

    x = Tap(name="input")(x.reshape(x.shape[0], -1))
    x = layers.dense(self, x, self.width, "stem")
    for i in range(self.depth):
      branch = x = Tap(name=f"skip_{i}")(x)
      for j in range(self.branch_layers):
        branch = activate(branch, f"{i}_{j}")
        branch = layers.dense(
          self,
          branch,
          self.width,
          f"dense_{i}_{j}",
          use_bias=not fixup,
          kernel_init=self._branch_init(j),
        )
      branch = self._scaled(branch, f"multiplier_{i}")
      branch = Tap(name=f"branch_{i}")(branch)
      x = x + branch if self.skip else branch
    x = activate(Tap(name="last")(x), "last")
    init = nn.initializers.zeros if fixup else None
    return layers.dense(self, x, self.num_classes, "output", kernel_init=init)

  @nn.nowrap
  def _branch_init(self, layer: int) -> Initializer:
    """The initializer of a branch's kernel."""
    own = kernel_init_of(self)
    if self.branch != "fixup":
      return own
    if layer + 1 == self.branch_layers:
      return nn.initializers.zeros
    factor = self.depth ** (-1 / (2 * self.branch_layers - 2))
    return lambda key, shape, dtype=float: factor * own(key, shape, dtype)

  @nn.nowrap
  def _scaled(self, x: jax.Array, name: str) -> jax.Array:
    """A branch times all that multiplies it."""
    scale = jnp.asarray(self.branch_scale, x.dtype)
    if self.branch == "skip_init":
      scale = scale * self._scalar(name, 0.0).astype(x.dtype)
    if self.branch == "fixup":
      scale = scale * self._scalar(name, 1.0, _SLOW).astype(x.dtype)
    return x * scale

  @nn.nowrap
  def _biased(self, x: jax.Array, name: str) -> jax.Array:
    return x + self._scalar(name, 0.0, _SLOW).astype(x.dtype)

  @nn.nowrap
  def _scalar(self, name: str, start: float, rate: float = 1.0) -> jax.Array:
    """A learned scalar, at a share of gradient descent's rate.

    It is √rate times a parameter: of the scalar's derivative d the parameter
    has √rate d, and a step along that moves the scalar by √rate √rate d.
    """
    init = nn.initializers.constant(start / rate**0.5)
    return rate**0.5 * self.param(name, init, ())
