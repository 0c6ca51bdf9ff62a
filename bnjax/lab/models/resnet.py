"""A convolutional residual network, whose branches start in several ways."""

import functools
from collections.abc import Callable
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError
from bnjax.lab.models import layers, residual_branches
from bnjax.lab.models.arguments import check_model, kernel_init_of
from bnjax.lab.models.conv import Conv
from bnjax.lab.models.initializers import Initializer, bias_of
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.registry import Count, Range, Traced

ORDERS = ("postactivation", "preactivation")
SHORTCUTS = ("projection", "padding")


class ResNet(nn.Module):
  """A convolution, stages of residual blocks, the mean, a linear classifier.

  Kernels are 3x3. Each stage but the first halves the image, by a stride of 2
  in its first block. With `blocks` of n and branches of two convolutions it is
  ResNet-(6n + 2) of He et al. for CIFAR-10; with "projection" ResNet-14 has
  175,258 parameters for 10 classes and 3 colors, 1,120 of them batch norm's,
  and ResNet-32 has 466,906 and 2,464.

  A block is `skip + branch`, where a branch is `branch_layers` times

  - "postactivation": convolution, norm, activation, the last activation after
    the sum (He et al. 2015; the stem has a norm and the activation, too);
  - "preactivation": norm, activation, convolution, and a norm and an activation
    before the mean (He et al. 2016).

  and is multiplied by `branch_scale` and by what `branch` says, see
  `residual_branches`. Where the shape changes the skip connection is

  - "projection": a 1x1 convolution, with a norm after it in a postactivation
    block, of what enters the branch's first convolution in a preactivation
    block (named "shortcut_i", its norm "norm_shortcut_i");
  - "padding": every second pixel, and zeros for new features (if there are to
    be fewer, the last ones are left out).

  Convolutions have a bias where there is neither a norm nor Fixup. Taps, with
  blocks numbered through all stages from 0: "input"; "stem", what enters the
  first block; "branch_i", and what that is added to, "skip_i", behind a
  shortcut; "preactivation_i_j"; and "last", what leaves the last block.

  Attributes:
    widths: features of each stage, of which there are as many.
    blocks: number of blocks of each stage.
    branch_layers: convolutions in each branch.
    stem_stride: stride of the first convolution.
    order: "postactivation" or "preactivation".
    shortcut: "projection" or "padding".
    initializer: a name in `INITIALIZERS`, for every kernel that is not said to
      start otherwise; biases start at zero, with `torch` as in PyTorch.
    branch: "constant", "skip_init" or "fixup".
    branch_scale: a constant that multiplies every branch, such as 1/√2.
    skip: whether there are skip connections. Without them there are no
      shortcuts, and what leaves a block is the branch.

  References:
    He et al. (2015), Deep residual learning, arXiv:1512.03385, section 4.2;
    He et al. (2016), Identity mappings in deep residual networks,
    arXiv:1603.05027.
  """

  num_classes: int
  norm: Norm | None
  widths: Annotated[tuple[Count, ...], Range(least=1, most=1000)] = (16, 32, 64)
  blocks: Annotated[int, Range(least=1, most=1000)] = 2
  branch_layers: Count = 2
  stem_stride: Count = 1
  order: str = "postactivation"
  shortcut: str = "projection"
  activation: str = "relu"
  initializer: str = "he"
  init_scale: Traced[float] = 1.0
  branch: str = "constant"
  branch_scale: Traced[float] = 1.0
  skip: bool = True

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    branches = residual_branches.BRANCHES
    check_model(self, order=ORDERS, shortcut=SHORTCUTS, branch=branches)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps images `[n, height, width, channels]` to logits.

    Raises:
      UserError: the examples are no images.
    """
    if x.ndim != 4:
      raise UserError(
        f"model.name: 'resnet' takes images [n, height, width, channels], and "
        f"these examples are of shape {x.shape[1:]}"
      )
    activate = functools.partial(
      residual_branches.activate, self, train=train, mask=mask
    )
    normalize = functools.partial(
      layers.normalize, self.norm, train=train, mask=mask
    )
    first = self.order == "preactivation"
    x = Tap(name="input")(x)
    x = self._conv(x, self.widths[0], "conv_stem", self.stem_stride)
    if not first:
      x = activate(x, "stem", norm=self.norm, last=True)
    x = Tap(name="stem")(x)
    for i in range(len(self.widths) * self.blocks):
      stage, place = divmod(i, self.blocks)
      stride = 2 if stage and not place else 1
      x = self._block(x, i, self.widths[stage], stride, activate, normalize)
    x = Tap(name="last")(x)
    if first:
      x = activate(x, "last", norm=self.norm, last=True)
    x = residual_branches.bias(self, jnp.mean(x, axis=(1, 2)), "bias_output")
    return residual_branches.classify(self, x)

  @nn.nowrap
  def _block(
    self,
    x: jax.Array,
    i: int,
    features: int,
    stride: int,
    activate: Callable[..., jax.Array],
    normalize: Callable[..., jax.Array],
  ) -> jax.Array:
    """Block i of `x`, `[n, height / stride, width / stride, features]`."""
    first = self.order == "preactivation"
    last = self.branch_layers - 1
    depth = len(self.widths) * self.blocks
    if first:
      entered = activate(x, f"{i}_0", norm=self.norm)
    else:
      entered = residual_branches.bias(self, x, f"bias_{i}_first")
    branch = entered
    for j in range(self.branch_layers):
      init = residual_branches.kernel_init(self, j, depth)
      own = 1 if j else stride
      branch = self._conv(
        branch, features, f"conv_{i}_{j}", own, kernel_init=init
      )
      if j < last:
        place = f"{i}_{j + 1}" if first else f"{i}_{j}"
        branch = activate(branch, place, norm=self.norm)
    if not first:
      branch = normalize(branch, name=f"norm_{i}_{last}")
    branch = residual_branches.scale(self, branch, f"multiplier_{i}")
    branch = Tap(name=f"branch_{i}")(branch)
    if not self.skip:
      x = branch
    else:
      if stride > 1 or x.shape[-1] != features:
        x = self._shorten(x, entered, i, features, stride)
        if not first and self.shortcut == "projection":
          x = normalize(x, name=f"norm_shortcut_{i}")
      x = Tap(name=f"skip_{i}")(x) + branch
    return x if first else activate(x, f"{i}_{last}", norm=None, last=True)

  @nn.nowrap
  def _shorten(
    self, x: jax.Array, entered: jax.Array, i: int, features: int, stride: int
  ) -> jax.Array:
    """The skip connection where the shape changes."""
    if self.shortcut == "projection":
      name = f"shortcut_{i}"
      return self._conv(entered, features, name, stride, size=1)
    x = x[:, ::stride, ::stride, :features]
    new = features - x.shape[-1]
    return jnp.pad(x, ((0, 0), (0, 0), (0, 0), (0, new)))

  @nn.nowrap
  def _conv(
    self,
    x: jax.Array,
    features: int,
    name: str,
    stride: int = 1,
    *,
    size: int = 3,
    kernel_init: Initializer | None = None,
  ) -> jax.Array:
    """Convolves; windows are centered at every `stride`th pixel, the first too.

    As the literature has it: "SAME" would center them a pixel further.
    """
    if stride > 1 and size > 1:
      edge = (size // 2, size // 2)
      x = jnp.pad(x, ((0, 0), edge, edge, (0, 0)))
    plain = layers.is_none(self.norm) and self.branch != "fixup"
    return Conv(
      features,
      (size, size),
      strides=stride,
      padding="SAME" if stride == 1 else "VALID",
      use_bias=plain,
      kernel_init=kernel_init or kernel_init_of(self),
      bias_init=bias_of(self.initializer, size**2 * x.shape[-1]),
      name=name,
    )(x)
