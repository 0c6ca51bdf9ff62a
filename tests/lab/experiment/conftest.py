"""What tests of whole runs share."""

import os

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
  """Where compiled programs are kept, also of processes that are started."""
  options = {
    "jax_compilation_cache_dir": str(tmp_path_factory.mktemp("cache")),
    "jax_persistent_cache_min_compile_time_secs": 0.0,
  }
  before = {name: getattr(jax.config, name) for name in options}
  for name, value in options.items():
    jax.config.update(name, value)
    os.environ[name.upper()] = str(value)
  compilation_cache.reset_cache()
  yield
  for name, value in before.items():
    jax.config.update(name, value)
    del os.environ[name.upper()]
  compilation_cache.reset_cache()
