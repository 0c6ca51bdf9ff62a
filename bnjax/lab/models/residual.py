"""A residual multilayer perceptron, whose branches start in several ways."""

import dataclasses

import flax.linen as nn
import jax

from bnjax.lab.models import layers, residual_branches
from bnjax.lab.models.arguments import Layers, check_model
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.registry import Count, Traced


class ResidualMLP(nn.Module):
  """A dense stem, `depth` blocks `x + branch(x)`, and a linear classifier.

  A branch is `branch_layers` times norm, activation, dense ("preactivation"),
  and is multiplied by `branch_scale` and by what `branch` says, see
  `residual_branches`. A norm and the activation precede the classifier. Taps
  name what enters block i, "skip_i", and what it adds to that, "branch_i", from
  0; "input"; and what leaves the last block, "last".

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
    scanned: whether blocks are a loop of the program and not each a part of it:
      any number compiles as fast as one. Parameters of all blocks are then one
      array, `[depth, ...]`, in "blocks", and so is what a tap shows:
      "blocks/skip", "blocks/branch".

  Reference:
    He et al. (2016), Identity mappings in deep residual networks,
    arXiv:1603.05027, of the order in a block.
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
  scanned: bool = False

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_model(self, branch=residual_branches.BRANCHES)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples `[n, ...]` to logits `[n, num_classes]`."""
    x = Tap(name="input")(x.reshape(x.shape[0], -1))
    x = layers.dense(self, x, self.width, "stem")
    if self.scanned:
      scan = nn.scan(
        _Block,
        variable_axes={True: 0},
        split_rngs={"params": True},
        in_axes=(nn.broadcast, nn.broadcast),
        length=self.depth,
      )
      fields = {name: getattr(self, name) for name in _names_of_fields(self)}
      x, _ = scan(**fields, name="blocks")(x, train, mask)
    else:
      for i in range(self.depth):
        x = self._block(x, f"_{i}", train, mask)
    x = residual_branches.activate(
      self, Tap(name="last")(x), "last", norm=self.norm, train=train, mask=mask
    )
    return residual_branches.classify(self, x)

  @nn.nowrap
  def _block(
    self, x: jax.Array, of: str, train: bool, mask: jax.Array | None
  ) -> jax.Array:
    """A block, `[n, width]` as x; `of` is added to the names of its parts."""
    branch = x = Tap(name=f"skip{of}")(x)
    for j in range(self.branch_layers):
      branch = residual_branches.activate(
        self, branch, f"{of}_{j}"[1:], norm=self.norm, train=train, mask=mask
      )
      branch = layers.dense(
        self,
        branch,
        self.width,
        f"dense{of}_{j}",
        use_bias=self.branch != "fixup",
        kernel_init=residual_branches.kernel_init(self, j, self.depth),
      )
    branch = residual_branches.scale(self, branch, f"multiplier{of}")
    branch = Tap(name=f"branch{of}")(branch)
    return x + branch if self.skip else branch


class _Block(ResidualMLP):
  """A block as a module of its own, for a loop over all of them."""

  @nn.compact
  def __call__(  # type: ignore[override]
    self, x: jax.Array, train: bool, mask: jax.Array | None
  ) -> tuple[jax.Array, None]:
    """What leaves the block."""
    return self._block(x, "", train, mask), None


def _names_of_fields(model: nn.Module) -> list[str]:
  names = [field.name for field in dataclasses.fields(model)]
  return [name for name in names if name not in ("parent", "name")]
