"""A name for a value inside a model, so that it can be observed."""

import flax.linen as nn
import jax


class Tap(nn.Module):
  """The identity: what passes through can be found by the module's name.

  Models put `Tap(name="preactivation_2")(x)` where something is worth seeing.
  It has no parameters and costs nothing; `bnjax.lab.probes` finds it by name.
  """

  @nn.compact
  def __call__(self, x: jax.Array) -> jax.Array:
    """Returns `x`."""
    return x
