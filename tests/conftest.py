"""Settings for every test: several CPU devices, strict promotion rules."""

import jax
import pytest

# Before any device is used: collectives are tested on real (CPU) devices.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="module")
def quick_compilation():
  """Compiles in half the time what is run for seconds."""
  jax.config.update("jax_disable_most_optimizations", True)
  yield
  jax.config.update("jax_disable_most_optimizations", False)
