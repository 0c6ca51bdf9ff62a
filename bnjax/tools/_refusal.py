"""Why a norm cannot be folded into what comes before it."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any

from jax import lax

from bnjax.tools._modules import Path
from bnjax.tools._opaque import Site, Trace
from bnjax.tools._program import named

# Fields of linear layers that change what is done with the kernel.
_CUSTOM = (
  "dot_general",
  "dot_general_cls",
  "conv_general_dilated",
  "conv_general_dilated_cls",
  "promote_dtype",
)
Shape = Callable[[str, Path, str], tuple[int, ...]]


def refusal(norm: Path, found: Trace, shape: Shape) -> str | None:
  """Says why a norm cannot be folded.

  Args:
    norm: path of the norm.
    found: what the traced model says.
    shape: of a variable as it is kept: collection, path, name -> its shape.
  """
  site = found.norms[norm]
  if site.by_batch:
    return "it normalizes by the batch: call the model in inference mode"
  if site.affine:
    return "its scale or bias is given in the call"
  if site.updates:
    return "it updates its running statistics"
  kernels = found.before.get(norm, set())
  if norm in found.reasons or len(kernels) != 1:
    if site.calls != 1:
      return f"it is used {site.calls} times, not always after the same layer"
    return found.reasons.get(norm, "the traced program does not use its result")
  (path,) = kernels
  name, kernel = named(path), found.kernels[path]
  if kernel.calls != site.calls:
    return f"{name} is used {kernel.calls} times, and it {site.calls}"
  for each, which in ((path, kernel), (norm, site)):
    reason = _variables(each, which, found, shape)
    if reason is not None:
      return reason
  if _features(kernel.module) != 1:
    return f"{name} has several axes of features, or batch axes"
  if any(not _usual(kernel.module, field) for field in _CUSTOM):
    return f"{name} does not multiply by its kernel as Flax does by default"
  if not _usual(site.module, "promote_dtype") or len(site.dtypes) != 1:
    return "it converts dtypes in a way of its own, or in several"
  axes = _tuple(site.module.axis)
  if any([a % ndim for a in axes] != [ndim - 1] for ndim in site.ranks):
    return f"it normalizes axes {axes}, the kernel's features are the last"
  return None


def _variables(
  path: Path, site: Site, found: Trace, shape: Shape
) -> str | None:
  """Says why a module's variables cannot be changed."""
  name = named(path)
  if len(found.types.get(path, ())) > 1:
    kinds = sorted(kind.__name__ for kind in found.types[path])
    return f"{' and '.join(kinds)} share the scope {name} (nn.share_scope)"
  if path in found.transformed:
    return f"the variables of {name} are transformed before use"
  if path in found.read_elsewhere:
    return f"a variable of {name} is used outside it too"
  for (kind, leaf), seen in site.shapes.items():
    if shape(kind, path, leaf) != seen:
      return f"{name} has many layers' variables (nn.scan, nnx.scan, vmap)"
  return None


def _usual(module: Any, field: str) -> bool:
  """Whether a field of a layer is what it is unless somebody sets it."""
  value = getattr(module, field, None)
  usual = [None, lax.dot_general, lax.conv_general_dilated]
  kinds: Any = type(module).__mro__[:-1]
  for kind in kinds:
    parameters = inspect.signature(kind.__init__).parameters
    if field in parameters:
      usual.append(parameters[field].default)
  return any(value is each for each in usual)


def _features(module: Any) -> int:
  """Returns how many feature axes a layer's result has, 0 with batch axes."""
  if getattr(module, "batch_dims", ()) or getattr(module, "batch_axis", ()):
    return 0
  features = getattr(module, "features", None)
  if features is None:
    features = getattr(module, "out_features", 1)
  return len(_tuple(features))


def _tuple(value: Any) -> tuple[Any, ...]:
  return tuple(value) if isinstance(value, Iterable) else (value,)
