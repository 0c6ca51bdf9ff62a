"""The cache of compiled programs on disk."""

import os
from pathlib import Path

import jax


def use_compilation_cache() -> None:
  """Keeps compiled programs between runs, in the user's cache directory.

  `JAX_COMPILATION_CACHE_DIR` chooses another place; empty means none.
  """
  if "JAX_COMPILATION_CACHE_DIR" in os.environ:
    return
  try:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
  except RuntimeError:  # a user without a home
    return
  jax.config.update("jax_compilation_cache_dir", str(base / "bnjax" / "xla"))
  jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
