"""Settings for every test: several CPU devices, strict promotion rules."""

import ctypes
import gc
import os
import pathlib

import jax
import pytest

# Before any device is used: collectives are tested on real (CPU) devices.
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")


HERE = pathlib.Path(__file__).parent
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
# Many programs of second derivatives, none of which is about compilation.
_BESIDES = ("ops/relatives_test.py",)
_QUICK = "jax_disable_most_optimizations"
# Begun first, that no worker is left alone with one of them at the end.
_LONGEST = (
  "configs_test.py",
  "lab/experiment/resume_test.py",
  "lab/experiment/processes_test.py",
  "lab/models/inception_test.py",
  "ops/relatives_test.py",
  "benchmarks/conformance_test.py",
  "lab/experiment/engine_test.py",
  "lab/outside_test.py",
  "scripts/",
  "lab/launch/",
  "linen/",
  "docs_test.py",
  "linen_test.py",
  "lab/models/",
)
# Compiled programs are dropped, between two files, by a process that holds
# more bytes than these.
_MEMORY = 10**9


@pytest.fixture(scope="module", autouse=True)
def _compilation(request):
  place = request.path.relative_to(HERE).as_posix()
  optimized = place.startswith(_OPTIMIZED) and place not in _BESIDES
  quick = str(int(not optimized))
  if os.environ.get(_QUICK.upper(), "0") != quick:
    jax.clear_caches()  # programs are kept whatever they were compiled with
    jax.config.update(_QUICK, quick == "1")
    os.environ[_QUICK.upper()] = quick
  yield
  if _resident() > _MEMORY:
    jax.clear_caches()
    gc.collect()
    _give_back()


def _resident():
  """The bytes of memory that this process holds."""
  try:
    pages = pathlib.Path("/proc/self/statm").read_text().split()[1]
  except OSError:  # no Linux: as if it were full
    return 2 * _MEMORY
  return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _give_back():
  """Has the C library return what was freed, where it can be asked to."""
  trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
  if trim is not None:
    trim(0)


def pytest_collection_modifyitems(items):
  """Puts the longest files first; the others stay in their order."""

  def rank(item):
    if not item.path.is_relative_to(HERE):
      return len(_LONGEST)
    place = item.path.relative_to(HERE).as_posix()
    return next(
      (i for i, name in enumerate(_LONGEST) if place.startswith(name)),
      len(_LONGEST),
    )

  items.sort(key=rank)
