"""Settings for every test: several CPU devices, strict promotion rules."""

import atexit
import ctypes
import gc
import importlib.metadata
import os
import pathlib
import shutil
import tempfile
import time

# Most of the time of the tests is compilation, and this makes it a third. What
# others import is also tested as it is compiled for them: see .ci/wheel, which
# sets the variable.
QUICK = not os.environ.get("BNJAX_TESTS_OPTIMIZED")
if QUICK:
  # By the environment, for the processes that tests start, too.
  os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
  if importlib.metadata.version("jaxlib").startswith("0.10."):
    # Newer ones do not know the flag, and end.
    flags = os.environ.get("XLA_FLAGS", "")
    os.environ["XLA_FLAGS"] = f"{flags} --xla_cpu_use_fusion_emitters=false"

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # as a worker finds it set
  # What one worker has compiled, another one, a process that a test starts, or
  # the same one after it had to forget, need not compile again.
  _PREFIX = "bnjax-tests-"
  for _left in pathlib.Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
    if time.time() - os.path.getmtime(_left) > 24 * 60 * 60:  # was killed
      shutil.rmtree(_left, ignore_errors=True)
  _programs = tempfile.mkdtemp(prefix=_PREFIX)
  atexit.register(shutil.rmtree, _programs, ignore_errors=True)
  os.environ["JAX_COMPILATION_CACHE_DIR"] = _programs
# Small ones, too, of which there are most.
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

import jax  # noqa: E402 (reads the environment)
import pytest  # noqa: E402

jax.config.update("jax_disable_most_optimizations", QUICK)
# Before any device is used: collectives are tested on real (CPU) devices.
jax.config.update("jax_num_cpu_devices", 8)
# `scripts/bench.py --suite=gpu` runs those of ops elsewhere.
jax.config.update(
  "jax_platforms", os.environ.get("BNJAX_TESTS_PLATFORM", "cpu")
)
jax.config.update("jax_numpy_rank_promotion", "raise")


HERE = pathlib.Path(__file__).parent
# Begun first, that no worker is left alone with one of them at the end.
_LONGEST = (
  "configs_test.py",
  "lab/experiment/processes_test.py",
  "lab/published_test.py",
  "lab/experiment/resume_test.py",
  "lab/launch/local_test.py",
  "lab/models/inception_test.py",
  "lab/train/loop_test.py",
  "lab/outside_test.py",
  "benchmarks/conformance_test.py",
  "benchmarks/reliability_test.py",
  "ops/explicit_mesh_test.py",
  "lab/models/deep_test.py",
  "scripts/",
  "docs_test.py",
  "lab/experiment/engine_test.py",
  "linen_test.py",
)
# Compiled programs are dropped, between two files, by a process that holds
# more bytes than these.
_MEMORY = 10**9


@pytest.fixture(scope="module", autouse=True)
def _memory():
  yield
  if _resident() > _MEMORY:
    jax.clear_caches()
    gc.collect()
    _give_back()


def pytest_collection_finish():
  """Garbage is not looked for in what all tests share: it stays to the end."""
  gc.collect()
  gc.freeze()
  gc.set_threshold(50_000, 20, 20)  # tracing makes many objects, few cycles


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
