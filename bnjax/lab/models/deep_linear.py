"""Many linear layers that fit one linear map, Santurkar et al.'s toy."""

import flax.linen as nn
import jax

from bnjax.lab.models import layers
from bnjax.lab.models.arguments import Layers
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.norms import Norm
from bnjax.lab.registry import Count, check_fields, lookup


class DeepLinear(nn.Module):
  """`depth` matrices of `width` that fit one random matrix of their size.

  What is returned is how far they are from it, `W_depth ... W_1 x - A x`, for
  `loss.name='squares'`. `A` has N(0, 1) entries, drawn with the weights, and
  gets no gradient. A norm follows every layer but the last: the paper does not
  say where it is.

  Attributes:
    num_classes: ignored: nothing is classified.
    width: of every layer; of an example as many features are taken.
    depth: number of layers.
    initializer: a name in `INITIALIZERS`, for every kernel but `A`.

  Reference:
    Santurkar et al. (2018), arXiv:1805.11604, section 2.2.
  """

  num_classes: int
  norm: Norm | None
  width: Count = 10
  depth: Layers = 25
  initializer: str = "xavier"

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_fields("model", self)
    lookup("model.init", self.initializer, INITIALIZERS)
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples `[n, ...]` to differences `[n, width]`."""
    x = x.reshape(x.shape[0], -1)[:, : self.width]

    def dense(name: str, init: nn.initializers.Initializer) -> nn.Dense:
      return nn.Dense(self.width, use_bias=False, kernel_init=init, name=name)

    wanted = dense("target", nn.initializers.normal(1.0))(x)
    for i in range(self.depth):
      x = dense(f"dense_{i}", INITIALIZERS[self.initializer](1.0))(x)
      if i + 1 < self.depth:
        x = layers.normalize(
          self.norm, x, name=f"norm_{i}", train=train, mask=mask
        )
    return x - jax.lax.stop_gradient(wanted)
