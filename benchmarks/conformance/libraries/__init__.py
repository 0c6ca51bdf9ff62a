"""The libraries that are checked: one column each."""

import importlib
from importlib import metadata

import bnjax
from benchmarks.conformance.library import Library

# Name -> module and class.
LIBRARIES = {
  "flax.linen": ("flax_linen", "Linen"),
  "flax.linen two-pass": ("flax_linen", "TwoPass"),
  "flax.nnx": ("flax_nnx", "Nnx"),
  "haiku": ("haiku", "Haiku"),
  "equinox": ("equinox", "Equinox"),
  "keras": ("keras", "Keras"),
  "torch": ("torch", "Torch"),
  "bnjax.ops": ("ops", "Ops"),
  "bnjax.linen": ("bnjax_linen", "OurLinen"),
  "bnjax.nnx": ("bnjax_nnx", "OurNnx"),
}
PEERS = ("dm-haiku", "equinox", "keras", "torch")
OURS = tuple(name for name in LIBRARIES if name.startswith("bnjax"))


def load(name: str) -> Library | None:
  """Returns the library of a column, or None if it is not installed."""
  module, kind = LIBRARIES[name]
  try:
    found = importlib.import_module(
      f"benchmarks.conformance.libraries.{module}"
    )
  except ModuleNotFoundError as error:
    if error.name and error.name.startswith("bnjax"):
      raise
    return None
  return getattr(found, kind)()


def versions() -> dict[str, str]:
  """Returns the version of every package that is a column, and of JAX."""
  found = {"bnjax": bnjax.__version__}
  for name in ("jax", "jaxlib", "flax", *PEERS):
    try:
      found[name] = metadata.version(name)
    except metadata.PackageNotFoundError:
      found[name] = "not installed"
  return found


__all__ = ["LIBRARIES", "OURS", "load", "versions"]
