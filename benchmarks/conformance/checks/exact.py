"""D2, D3, D5 and D9: statistics of one array."""

from typing import Any

import numpy as np

from benchmarks.conformance.library import Library, Settings, running
from benchmarks.conformance.outcome import Check, Outcome, judge, number
from benchmarks.conformance.reference import batch, error, normalized, to_numpy

PLAIN = Settings()
FAR = batch((1024, 4), 1e4)
_HOT = batch((4096, 1))
_HOT[2048] = 1e4
_ROWS = batch((1024, 4))
_ROWS[::16] += 1e3


def _train(
  library: Library, x: np.ndarray, dtype: str = "float32"
) -> tuple[Any, Any]:
  """Returns the output of a training step and the state."""
  step = library.compile(lambda x: library.step(x, PLAIN))
  return step(library.array(x, dtype))


def _deviation(library: Library) -> Outcome:
  y = to_numpy(_train(library, FAR)[0])
  return judge(abs(y.std() - 1) < 0.01, number(y.std()))


def _error(library: Library) -> Outcome:
  off = error(_train(library, FAR)[0], normalized(FAR))
  return judge(off <= 2e-6, f"{off:.0e}")


def _outliers(library: Library, x: np.ndarray) -> Outcome:
  off = error(_train(library, x)[0], normalized(x))
  return judge(off <= 4e-6, f"{off:.0e}")


def _finite(library: Library) -> Outcome:
  step = library.compile(lambda x: library.step(x, PLAIN)[0])
  bad = 0
  for seed in range(20):
    x = batch((256, 1), 1e3, 1e-3, seed)
    bad += not np.isfinite(to_numpy(step(library.array(x)))).all()
  return judge(bad == 0, f"{bad} of 20")


def _half(library: Library) -> Outcome:
  x = batch((256, 2), 300).astype(np.float16)
  off = error(_train(library, x, "float16")[0], normalized(x))
  return judge(off <= 5e-2, f"{off:.0e}")


def _stored(library: Library) -> Outcome:
  _, state = _train(library, batch((8, 2)), "bfloat16")
  kinds = {str(a.dtype).split(".")[-1] for a in library.statistics(state)}
  return judge(kinds == {"float32"}, ", ".join(sorted(kinds)))


def _inference(library: Library) -> Outcome:
  settings = Settings(dtype="bfloat16")
  mean, var = np.array([100.3], np.float32), np.array([0.01], np.float32)
  state = library.state_of(mean, var, settings)
  x = library.array(np.array([[100.5]]), "bfloat16")
  y = to_numpy(library.infer(x, settings, state)).item()
  return judge(abs(y - 2) < 0.02, number(y))


def _one_row(library: Library) -> Outcome:
  x = np.array([[5.0]])
  try:
    y, state = _train(library, x)
  except ValueError:
    return Outcome("right", "ValueError")
  var = to_numpy(running(library, state, PLAIN)[1])
  return judge(False, f"y = {number(y[0, 0])}, var {number(var)}")


CHECKS = [
  Check(
    "D2a",
    "Mean 10⁴, deviation 1: the deviation of the output is 1 within 1%.",
    _deviation,
  ),
  Check(
    "D2b",
    "The same: the relative error of the output is at most 2e-6, as float32 "
    "allows.",
    _error,
  ),
  Check(
    "D2c",
    "One row of 4096 is an outlier of 10⁴: the relative error of the output "
    "is at most 4e-6.",
    lambda library: _outliers(library, _HOT),
  ),
  Check(
    "D2d",
    "Every sixteenth row is 10³ higher: the same.",
    lambda library: _outliers(library, _ROWS),
  ),
  Check(
    "D3a",
    "Mean 10³, deviation 10⁻³: none of 20 batches has an output that is not "
    "finite.",
    _finite,
  ),
  Check(
    "D3b",
    "float16, mean 300, whose square overflows: the relative error of the "
    "output is at most 5e-2.",
    _half,
  ),
  Check(
    "D3c",
    "bfloat16 input: running statistics are stored in float32.",
    _stored,
  ),
  Check(
    "D5",
    "Inference in bfloat16 does not round statistics: x = 100.5, mean 100.3, "
    "variance 0.01 give 2.00.",
    _inference,
  ),
  Check(
    "D9",
    "One row in training, whose variance is 0 whatever it is: a ValueError.",
    _one_row,
  ),
]
