"""What a library must offer to be checked, and the settings it is given."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

EPSILON = 1e-5


class NotApplicable(Exception):
  """The library does not have what the check asks for; says what."""


class Settings(NamedTuple):
  """How a layer is made; None is the library's default.

  Attributes:
    decay: new = decay * old + (1 - decay) * batch.
    debias: an average without the initial values, where there is one.
    axis_name: the mapped axis to pool over.
    groups: indices along it that pool together.
    optional_axis: let the layer run where that axis is not bound.
    dtype: of the result.
  """

  decay: float | None = 0.99
  debias: bool = False
  axis_name: str | None = None
  groups: tuple[tuple[int, ...], ...] | None = None
  optional_axis: bool = False
  dtype: str | None = None


class Call(NamedTuple):
  """What a training step is given beside its input.

  Attributes:
    state: of the layer; a new one if None.
    mask: which rows count.
    relu: whether the layer applies it.
  """

  state: Any
  mask: Any
  relu: bool


class Claim(NamedTuple):
  """What a document says of the running statistics by default.

  Attributes:
    source: the document.
    decay: None if there is no default.
    debias: whether the initial values are divided out.
    unbiased: whether they follow the unbiased variance; None: does not say.
  """

  source: str
  decay: float | None
  debias: bool = False
  unbiased: bool | None = None


class Library:
  """A batch norm of features-last arrays, called alike in every library.

  The methods here are those of a library on JAX; arrays are the library's.

  Attributes:
    name: of its column.
    masks: whether it takes a mask.
    axis_names: whether it pools over named axes.
    index_groups: whether it takes groups of their indices.
    axis_in_call: whether the axis is an argument of each call.
    debiases: whether it has a debiased or a cumulative average.
    fuses_relu: whether `step` takes `relu`.
    claims: what is documented.
    calculus: where jvp, vjp, grad, jacfwd and linearize are.
  """

  name: ClassVar[str]
  masks: ClassVar[bool] = False
  axis_names: ClassVar[bool] = True
  index_groups: ClassVar[bool] = True
  axis_in_call: ClassVar[bool] = False
  debiases: ClassVar[bool] = False
  fuses_relu: ClassVar[bool] = False
  claims: ClassVar[tuple[Claim, ...]]
  calculus: ClassVar[Any] = jax

  def step(
    self,
    x: Any,
    settings: Settings,
    *,
    state: Any = None,
    mask: Any = None,
    relu: bool = False,
  ) -> tuple[Any, Any]:
    """Returns the output of a training step and the new state.

    Raises:
      NotApplicable: the library does not have what is asked for.
    """
    require(self, settings, mask)
    return self._step(x, settings, Call(state, mask, relu))

  def _step(self, x: Any, settings: Settings, call: Call) -> tuple[Any, Any]:
    raise NotImplementedError

  def infer(self, x: Any, settings: Settings, state: Any) -> Any:
    """Returns the output of inference."""
    raise NotImplementedError

  def state_of(self, mean: Any, var: Any, settings: Settings) -> Any:
    """Returns a state that holds these running statistics."""
    raise NotImplementedError

  def initial(self, features: int, settings: Settings) -> Any:
    """Returns a state to differentiate a training step in."""
    zeros = np.zeros(features, np.float32)
    return self.state_of(zeros, zeros + 1, settings)

  def statistics(self, state: Any) -> list[Any]:
    """Returns the running statistics as they are stored."""
    raise NotImplementedError

  def array(self, values: np.ndarray, dtype: str = "float32") -> Any:
    """Returns an array of the library."""
    return jnp.asarray(values, dtype)

  def compile(self, function: Callable[..., Any]) -> Callable[..., Any]:
    """Returns the function as it is run: jitted."""
    return jax.jit(function)

  def relu(self, y: Any) -> Any:
    """Returns max(y, 0)."""
    return jax.nn.relu(y)

  def residual_bytes(self, function: Callable[[Any], Any], x: Any) -> int:
    """Returns what an uncompiled backward pass keeps, in bytes."""
    _, pullback = jax.vjp(function, x)
    leaves = {id(leaf): leaf.nbytes for leaf in jax.tree.leaves(pullback)}
    return sum(leaves.values())


def require(library: Library, settings: Settings, mask: Any = None) -> None:
  """Raises NotApplicable for what the library does not have."""
  if settings.axis_name is not None and not library.axis_names:
    raise NotApplicable("no named axes")
  if mask is not None and not library.masks:
    raise NotApplicable("no mask")
  if settings.groups is not None and not library.index_groups:
    raise NotApplicable("no groups")


def running(
  library: Library, state: Any, settings: Settings, near: float = 0.0
) -> tuple[Any, Any]:
  """Returns mean and variance as inference uses them, of one feature.

  Read from y = (x - mean) / sqrt(var + epsilon) at x = near and near + 1, so
  nothing need be known of how a library stores them.
  """
  probes = np.array([[near], [near + 1]], np.float32)
  y = library.infer(library.array(probes), settings, state)
  slope = y[1, 0] - y[0, 0]
  var = 1 / slope**2 - EPSILON
  # What is left of 0 by rounding is 0; NaN stays NaN.
  return near - y[0, 0] / slope, var * ~(abs(var) <= 1e-9)
