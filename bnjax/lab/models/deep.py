"""Many equal layers without a classifier: how far do signals reach?"""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax

from bnjax.lab.errors import UserError, choice
from bnjax.lab.models.arguments import ACTIVATIONS, check_at_least
from bnjax.lab.models.initializers import INITIALIZERS, Initializer
from bnjax.lab.models.norms import Norm
from bnjax.lab.models.tap import Tap
from bnjax.lab.registry import lookup

PLACEMENTS = ("after", "before")


class Deep(nn.Module):
  """`depth` dense layers of `width` units, without biases or a classifier.

  A layer is dense, activation, norm (`norm_after` True) or dense, norm,
  activation. Taps name what enters the activation of layer i,
  "preactivation_i", and what leaves the layer, "activation_i", from 0.

  Attributes:
    width: units in each layer.
    depth: number of layers.
    activation: elementwise function.
    kernel_init: initializer of every kernel.
    norm: the normalization to insert, see `bnjax.lab.models.norms`.
    norm_after: normalize after the activation rather than before it.
    returned: the layer that is returned, from 1. Those after it are computed,
      too, where somebody looks at them, but the loss does not see them.
  """

  width: int
  depth: int
  activation: Callable[[jax.Array], jax.Array]
  kernel_init: Initializer
  norm: Any  # a bnjax.lab.models.norms.Norm
  norm_after: bool
  returned: int

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples to the activation of a layer.

    Args:
      x: examples `[n, ...]`, flattened to `[n, features]`.
      train: normalize by this batch or by running statistics.
      mask: `[n]` of bool, True where the row is an example and not padding.

    Returns:
      The activation `[n, width]` of layer number `returned`.
    """
    row_mask = None if mask is None else mask[:, None]
    normalize = lambda x, i: self.norm(
      x, train=train, mask=row_mask, name=f"norm_{i}"
    )
    x = x.reshape(x.shape[0], -1)
    activations = []
    for i in range(self.depth):
      x = nn.Dense(
        self.width,
        use_bias=False,
        kernel_init=self.kernel_init,
        name=f"dense_{i}",
      )(x)
      if not self.norm_after:
        x = normalize(x, i)
      x = self.activation(Tap(name=f"preactivation_{i}")(x))
      if self.norm_after:
        x = normalize(x, i)
      x = Tap(name=f"activation_{i}")(x)
      activations.append(x)
    return activations[self.returned - 1]


def deep(
  *,
  num_classes: int,
  norm: Norm,
  width: int = 100,
  depth: int = 20,
  activation: str = "relu",
  init: str = "xavier",
  init_scale: Any = 1.0,
  placement: str = "after",
  gradient_enters: int = 0,
) -> Deep:
  """The `Deep` network that these names describe; see its attributes.

  The defaults are the network of the 2018 post on training very deep networks
  with batch norm, `norm.name` apart.

  Args:
    num_classes: ignored: there is no classifier. The loss is one that takes
      any outputs, such as `loss.name='linear'`.
    norm: the normalization, see `bnjax.lab.models.norms`.
    width: units in each layer.
    depth: number of layers.
    activation: a name in `ACTIVATIONS`.
    init: a name in `INITIALIZERS`, for every kernel.
    init_scale: multiplies the initial kernels; for `normal` it is their
      standard deviation, for `uniform` their largest magnitude.
    placement: the norm `after` the activation, as in the post, or `before`.
    gradient_enters: number of the layer, from 1, whose activation the model
      returns; 0: the last. The post computes 20 layers and back-propagates
      from layer 19.

  Raises:
    UserError: a name is unknown, or a value out of its range.
  """
  del num_classes
  check_at_least("model.width", width, 1)
  check_at_least("model.depth", depth, 1)
  if not 0 <= gradient_enters <= depth:
    raise UserError(
      f"model.gradient_enters: {gradient_enters} is no layer; choose one from "
      f"1 to {depth}, or 0 for the last"
    )
  return Deep(
    width=width,
    depth=depth,
    activation=lookup("model.activation", activation, ACTIVATIONS),
    kernel_init=lookup("model.init", init, INITIALIZERS)(init_scale),
    norm=norm,
    norm_after=choice("model.placement", placement, PLACEMENTS) == "after",
    returned=gradient_enters or depth,
  )
