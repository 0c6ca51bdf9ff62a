"""Minibatches as users give them: which are refused, and with what advice."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from flax import errors

Call = Callable[[Any, Any], Any]

_INSIDE = (
  errors.JaxTransformError,
  errors.TraceContextError,
  jax.errors.UnexpectedTracerError,
)


def call_model(model: Any, batch: Any) -> Any:
  """Calls the model with the batch alone."""
  return model(batch)


def each(batches: Iterable[Any]) -> Iterator[Any]:
  """Yields the minibatches, of which there is one at least.

  Raises:
    TypeError: one array or dict, whose parts would be taken for minibatches.
    ValueError: there are none.
  """
  if hasattr(batches, "shape") and hasattr(batches, "dtype"):
    raise TypeError(
      f"batches is one array of shape {batches.shape}, not several "
      "minibatches: pass [x] for a single one, and list(x) (or "
      "recalibrate_stacked) where its first axis counts minibatches."
    )
  if isinstance(batches, dict) or not isinstance(batches, Iterable):
    raise TypeError(
      f"batches is a {type(batches).__name__}, not several minibatches: pass "
      "[batch] for a single one, and call= if the model does not take it whole."
    )
  return _some(iter(batches))


def explained(collect: Callable[[Any], Any], call: Call) -> Callable[..., Any]:
  """Returns the same function, whose errors say what to do about them."""
  first: list[Any] = []

  def run(batch: Any) -> Any:
    first.append(batch)
    try:
      return collect(batch)
    except OneValueError:
      raise
    except errors.InvalidRngError as error:
      raise ValueError(
        "The model draws random numbers: call it as at inference by call=, or "
        f"give rngs=. Flax says: {_line(error)}"
      ) from error
    except _INSIDE as error:
      raise ValueError(
        "A norm is called inside a jax transformation, out of which its "
        "statistics cannot come: use Flax's own (nn.vmap, nnx.grad of the "
        "model), or say with call= to call what is inside alone. The error "
        f"was: {_line(error)}"
      ) from error
    except Exception as error:
      advice = _advice(batch, first[0]) if call is call_model else None
      if advice is None:
        raise
      raise TypeError(f"{advice} The error was: {_line(error)}") from error

  return run


class OneValueError(ValueError):
  """A minibatch has one value per feature."""


def check_count(count: int) -> None:
  """Raises OneValueError where there is one value per feature."""
  if count == 1:
    raise OneValueError(
      "A minibatch of one value per feature has no variance. Each minibatch "
      "needs more rows: pass [x] rather than x for a single one; leave a last "
      "one of one row out, or pad and mask it."
    )


def _some(batches: Iterator[Any]) -> Iterator[Any]:
  empty = True
  for batch in batches:
    empty = False
    yield batch
  if empty:
    raise ValueError(
      "There are no batches: an iterator is empty once it has been read, so "
      "give a new one, or a list."
    )


def _advice(batch: Any, first: Any) -> str | None:
  """Says what to try where the model, called with the batch, fails."""
  part = None
  if isinstance(batch, dict):
    part = f"batch[{next(iter(batch), 'x')!r}]"
  elif isinstance(batch, (tuple, list)):
    part = "batch[0]"
  if part is not None:
    return (
      f"The model is called with each minibatch whole, here with a "
      f"{type(batch).__name__}: say how to call it, for instance "
      f"call=lambda model, batch: model({part})."
    )
  ranks = [jnp.ndim(b) for b in (first, batch) if hasattr(b, "shape")]
  if len(ranks) < 2 or ranks[0] == ranks[1] > 0:
    return None
  return (
    f"This minibatch has shape {batch.shape}, the first {first.shape}. If "
    "they are parts of one, as in (x, y), pass [(x, y)] and "
    "call=lambda model, batch: model(batch[0])."
  )


def _line(error: Exception) -> str:
  text = str(error).strip() or type(error).__name__
  return text.splitlines()[0]
