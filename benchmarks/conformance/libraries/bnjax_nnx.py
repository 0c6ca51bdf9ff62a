"""`bnjax.nnx`."""

from typing import Any, ClassVar

from benchmarks.conformance.libraries.bnjax_linen import ours
from benchmarks.conformance.libraries.flax_nnx import Nnx
from benchmarks.conformance.library import Claim, Settings
from bnjax.nnx import BatchNorm


class OurNnx(Nnx):
  """`bnjax.nnx.BatchNorm`."""

  name = "bnjax.nnx"
  debiases = True
  fuses_relu = True
  claims = (Claim("the docstring", 0.99, unbiased=False),)
  norm: ClassVar[Any] = BatchNorm

  def arguments(self, settings: Settings) -> dict[str, Any]:
    """Returns the arguments of the module."""
    return {**super().arguments(settings), **ours(settings)}
