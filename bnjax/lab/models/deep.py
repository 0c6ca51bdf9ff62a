"""A deep stack of equal dense layers, to measure how signals propagate."""

from typing import Annotated

import flax.linen as nn
import jax

from bnjax.lab.errors import UserError
from bnjax.lab.models import layers
from bnjax.lab.models.arguments import Layers, activation_of, check_model
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.registry import Count, Range, Traced

PLACEMENTS = ("after", "before")


class Deep(nn.Module):
  """`depth` dense layers of `width` units, without biases or a classifier.

  A layer is dense, activation, norm (`placement="after"`) or dense, norm,
  activation. Taps name what enters the activation of layer i,
  "preactivation_i", and what leaves the layer, "activation_i", from 0; and
  "input".

  The defaults are the network of the 2018 post on training very deep networks
  with batch norm, `norm` apart.

  Attributes:
    num_classes: ignored: there is no classifier. The loss is one that takes
      any outputs, such as `loss.name='sum'`.
    width: units in each layer.
    depth: number of layers.
    placement: the norm `after` the activation, as in the post, or `before`.
    redraw: whether a network in training draws its own examples and gradient:
      N(0, 1) noise in the place of the examples, and noise that multiplies the
      output, so that with `loss.name='sum'` it is the gradient that enters.
      Seeds are then independent; otherwise all see the same examples.
    gradient_enters: number of the layer, from 1, whose activation the model
      returns; 0: the last. Those after it are computed, too, where somebody
      looks at them, but the loss does not see them. The post computes 20 layers
      and back-propagates from layer 19.
  """

  num_classes: int
  norm: Norm | None
  width: Count = 100
  depth: Annotated[int, Range(least=1, most=1000)] = 20
  activation: str = "relu"
  initializer: str = "xavier"
  init_scale: Traced[float] = 1.0
  placement: str = "after"
  redraw: bool = False
  gradient_enters: Layers = 0

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_model(self, placement=PLACEMENTS)
    if self.gradient_enters > self.depth:
      raise UserError(
        f"model.gradient_enters: {self.gradient_enters} is no layer; choose "
        f"one from 1 to {self.depth}, or 0 for the last"
      )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples to `[n, width]`, the activation of `gradient_enters`."""
    x = x.reshape(x.shape[0], -1)
    redraw = train and self.redraw
    noise = lambda x: jax.random.normal(
      self.make_rng("dropout"), x.shape, x.dtype
    )
    x = Tap(name="input")(noise(x) if redraw else x)
    activations = []
    for i in range(self.depth):
      z = layers.dense(self, x, self.width, f"dense_{i}", use_bias=False)
      x = layers.finish(
        {f"norm_{i}": z},
        norm=self.norm,
        placement=self.placement,
        activation=activation_of(self),
        train=train,
        mask=mask,
        tap=Tap(name=f"preactivation_{i}"),
      )
      x = Tap(name=f"activation_{i}")(x)
      activations.append(x)
    last = activations[(self.gradient_enters or self.depth) - 1]
    return noise(last) * last if redraw else last
