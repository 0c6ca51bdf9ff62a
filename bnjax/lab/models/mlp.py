"""The multilayer perceptron of the 2015 and 2016 experiments."""

import functools
from collections.abc import Callable
from typing import Annotated

import flax.linen as nn
import jax
import jax.numpy as jnp

from bnjax.lab.errors import UserError
from bnjax.lab.models import layers
from bnjax.lab.models.arguments import (
  Layers,
  activation_of,
  check_model,
  is_static_zero,
)
from bnjax.lab.models.dropout import dropout, words_shape
from bnjax.lab.models.initializers import INITIALIZERS
from bnjax.lab.models.layers import Tap
from bnjax.lab.models.norms import Norm
from bnjax.lab.models.published import Normalized, reroute_gradient
from bnjax.lab.registry import Count, Range, Share, Traced, lookup

PLACEMENTS = ("before", "after")
DERIVATIVES = ("corrected", "as_published")
DROPOUT_PLACEMENTS = ("last", "before_norm")

# Which of the hidden layers, by their numbers; from the end where negative.
Some = Annotated[tuple[int, ...], Range(most=1000)]


def _is_among(i: int, some: tuple[int, ...], count: int) -> bool:
  return not some or i in some or i - count in some


class MLP(nn.Module):
  """`depth` hidden layers of `width` units and a linear classifier.

  A hidden layer is dense, norm, activation, dropout (`placement="before"`) or
  dense, activation, norm, dropout. The classifier has no norm. Taps name what
  enters the norm of layer i, "norm_input_i", what enters the activation,
  "preactivation_i", and what leaves the layer, "activation_i", all but a norm's
  input before dropout.

  Attributes:
    width: units in each hidden layer.
    depth: number of hidden layers.
    initializer: a name in `INITIALIZERS`, for every kernel; biases start at
      zero, with `torch` as in PyTorch.
    later_init: another one for all kernels but the first; "" for the same.
    placement: the norm `before` or `after` the activation.
    norm_layers: which hidden layers have the norm, such as (0, -1) for the
      first and the last; all if empty.
    dropout_rate: probability to drop a hidden unit in training. A Python 0
      leaves dropout out of the program.
    dropout_placement: dropout `last` in a layer, or right `before_norm`, where
      a layer has a norm.
    dropout_layers: which hidden layers have dropout; all if empty.
    use_bias: whether hidden layers have their own bias, which a batch norm
      right after them makes redundant.
    derivative: `corrected`, or `as_published` for the backward pass of the
      2016 code (batch norm before the activation only), see
      `bnjax.lab.models.published`.
  """

  num_classes: int
  norm: Norm | None
  width: Count = 256
  depth: Layers = 2
  activation: str = "relu"
  initializer: str = "he"
  later_init: str = ""
  init_scale: Traced[float] = 1.0
  placement: str = "before"
  norm_layers: Some = ()
  dropout_rate: Traced[Share] = 0.0
  dropout_placement: str = "last"
  dropout_layers: Some = ()
  use_bias: bool = True
  derivative: str = "corrected"

  def __post_init__(self) -> None:
    """Checks names and ranges."""
    check_model(
      self,
      placement=PLACEMENTS,
      derivative=DERIVATIVES,
      dropout_placement=DROPOUT_PLACEMENTS,
    )
    for field in ("norm_layers", "dropout_layers"):
      for i in getattr(self, field):
        if not -self.depth <= i < self.depth:
          raise UserError(
            f"model.{field}: {i} is no hidden layer; there are {self.depth}, "
            "numbered from 0, or from -1 backwards"
          )
    if self.later_init:
      lookup("model.later_init", self.later_init, INITIALIZERS)
    published = self.derivative != "corrected"
    before = self.placement == "before"
    everywhere = not self.norm_layers and self.dropout_placement == "last"
    if published and not (
      before and everywhere and layers.is_batch_norm(self.norm)
    ):
      raise UserError(
        "model.derivative: 'as_published' is the backward pass of a network "
        "with norm.name='batch_norm' and model.placement='before', the norm in "
        "every hidden layer and dropout last"
      )
    super().__post_init__()

  @nn.compact
  def __call__(
    self, x: jax.Array, *, train: bool, mask: jax.Array | None = None
  ) -> jax.Array:
    """Maps examples to logits `[n, num_classes]`."""
    drop = train and not is_static_zero(self.dropout_rate)
    published = self.derivative == "as_published"
    reroute = published and train and not self.is_initializing()
    finish = functools.partial(
      layers.finish,
      placement=self.placement,
      activation=activation_of(self),
      train=train,
      mask=mask,
    )
    fuse = (
      layers.is_batch_norm(self.norm)
      and self.activation == "relu"
      and self.placement == "before"
      # `capture_intermediates` then finds the preactivations, too.
      and not self.is_mutable_collection("intermediates")
    )
    dense = functools.partial(layers.dense, self)
    previous = None
    x = x.reshape(x.shape[0], -1)
    if drop:  # one draw for all layers: on a CPU each draw has its overhead
      shape = words_shape((x.shape[0], self.width), self.dropout_rate)
      key = self.make_rng("dropout")
      words = jax.random.bits(key, (self.depth, *shape), jnp.uint32)
    for i in range(self.depth):
      init = self.later_init if i else ""
      x = dense(x, self.width, f"dense_{i}", use_bias=self.use_bias, init=init)
      if reroute:
        this = Normalized(x, **self.get_variable("params", f"norm_{i}"))
        if previous is not None:
          x = self._reroute(this, previous, mask)
        previous = this
      cut = reroute and i + 1 < self.depth
      norm = self.norm if _is_among(i, self.norm_layers, self.depth) else None
      lose: Callable[[jax.Array], jax.Array] = lambda x: x
      if drop and _is_among(i, self.dropout_layers, self.depth):
        lose = functools.partial(
          dropout, words=words[i], rate=self.dropout_rate
        )
      early = norm is not None and self.dropout_placement == "before_norm"
      show = Tap(name=f"norm_input_{i}") if norm is not None else lose
      x = finish(
        {f"norm_{i}": x},
        norm=norm,
        tap=Tap(name=f"preactivation_{i}"),
        pool=jax.lax.stop_gradient if cut else None,
        enter=(lose, show) if early else (show,),
        fuse=fuse and norm is not None,
      )
      x = Tap(name=f"activation_{i}")(x)
      x = x if early else lose(x)
    init = self.later_init if self.depth else ""
    return dense(x, self.num_classes, "output", init=init)

  @nn.nowrap
  def _reroute(
    self, this: Normalized, previous: Normalized, mask: jax.Array | None
  ) -> jax.Array:
    assert self.norm is not None
    module: nn.Module = self.norm(parent=None)
    return reroute_gradient(
      this,
      previous,
      epsilon=module.epsilon,
      mask=None if mask is None else mask[:, None],
    )
