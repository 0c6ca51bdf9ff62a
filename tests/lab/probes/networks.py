"""Networks that the tests of the probes look into."""

import flax.linen as nn
import jax.numpy as jnp


class Block(nn.Module):
  """Convolution, batch norm, ReLU, dropout; returns a pair."""

  features: int
  train: bool

  @nn.compact
  def __call__(self, x):
    x = nn.Conv(self.features, (3, 3), name="conv")(x)
    x = nn.BatchNorm(not self.train, momentum=0.5, name="norm")(x)
    self.sow("intermediates", "own", x)
    x = nn.Dropout(0.5, deterministic=not self.train)(nn.relu(x))
    return x, {"mean": jnp.mean(x), "none": None}


class CNN(nn.Module):
  """A user's network: nested, a layer used twice, a lifted block."""

  @nn.compact
  def __call__(self, x, *, train=False):
    x, _ = Block(3, train, name="block_0")(x)
    x, _ = nn.remat(Block)(3, train, name="block_10")(x)
    x, _ = Block(3, train, name="block_9")(x)
    x = self.perturb("own", jnp.mean(x, axis=(1, 2)))
    shared = nn.Dense(3, name="shared")
    x = jnp.tanh(shared(jnp.tanh(shared(x))))
    return nn.Dense(4, name="output")(x)
