"""`bnjax.linen`."""

from typing import Any, ClassVar

from benchmarks.conformance.libraries.flax_linen import Linen
from benchmarks.conformance.library import Claim, Settings
from bnjax.linen import BatchNorm
from bnjax.ops import debiased_ema


def ours(settings: Settings) -> dict[str, Any]:
  """Returns the arguments that Flax's modules do not have."""
  made: dict[str, Any] = {}
  if settings.debias:
    made["rule"] = debiased_ema(settings.decay or 0.99)
  if settings.optional_axis:
    made["missing_axis"] = "ignore"
  return made


class OurLinen(Linen):
  """`bnjax.linen.BatchNorm`."""

  name = "bnjax.linen"
  debiases = True
  fuses_relu = True
  claims = (Claim("the docstring", 0.99, unbiased=False),)
  norm: ClassVar[Any] = BatchNorm

  def arguments(self, settings: Settings) -> dict[str, Any]:
    """Returns the arguments of the module."""
    return {**super().arguments(settings), **ours(settings)}
