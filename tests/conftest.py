"""Settings for every test: several CPU devices, strict promotion rules."""

import os
import pathlib

import jax
import pytest

# Before any device is used: collectives are tested on real (CPU) devices.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")


# What others import is tested as it is compiled for them. The rest, programs
# that run for seconds, is compiled in half the time; so are its children's.
_OPTIMIZED = (
  "benchmarks/conformance_test.py",
  "flax_suite_test.py",
  "interop_test.py",
  "lab/published_test.py",
  "linen_test.py",
  "nnx_test.py",
  "ops/",
  "tools/",
)
_QUICK = "jax_disable_most_optimizations"


@pytest.fixture(scope="module", autouse=True)
def _compilation(request):
  place = request.path.relative_to(pathlib.Path(__file__).parent).as_posix()
  quick = str(int(not place.startswith(_OPTIMIZED)))
  if os.environ.get(_QUICK.upper(), "0") != quick:
    jax.clear_caches()  # programs are kept whatever they were compiled with
    jax.config.update(_QUICK, quick == "1")
    os.environ[_QUICK.upper()] = quick
