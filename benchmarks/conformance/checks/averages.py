"""D4, D6 and D12: running statistics."""

import numpy as np

from benchmarks.conformance.library import (
  Claim,
  Library,
  NotApplicable,
  Settings,
  running,
)
from benchmarks.conformance.outcome import Check, Outcome, judge, number
from benchmarks.conformance.reference import batch, to_numpy

X = batch((256, 1), 0, 0.5)
VAR = float(X.astype(np.float64).var())
# Means 0 and 1, biased variances 1 and 4, unbiased ones 4/3 of that.
_FIRST = np.array([[-1.0], [1.0], [-1.0], [1.0]])
_SECOND = 2 * _FIRST + 1


def _after(
  library: Library, settings: Settings, batches: list[np.ndarray]
) -> tuple[float, float]:
  """Returns the running mean and variance after steps on these batches."""
  step = library.compile(
    lambda x, state: library.step(x, settings, state=state)[1]
  )
  state = library.step(library.array(batches[0]), settings)[1]
  for x in batches[1:]:
    state = step(library.array(x), state)
  mean, var = running(library, state, settings)
  return to_numpy(mean).item(), to_numpy(var).item()


def _first_step(library: Library) -> Outcome:
  if not library.debiases:
    raise NotApplicable("no such average")
  _, var = _after(library, Settings(debias=True), [X])
  return judge(abs(var / VAR - 1) < 0.02, number(var))


def _hundred_steps(library: Library) -> Outcome:
  settings = Settings(debias=library.debiases)
  _, var = _after(library, settings, [X] * 100)
  return judge(abs(var / VAR - 1) < 0.02, number(var))


def _documented(library: Library) -> Outcome:
  mean, var = _after(library, Settings(decay=None), [_FIRST, _SECOND])
  debias = any(claim.debias for claim in library.claims)
  decay = 1 / mean - 1 if debias else 1 - mean
  kinds = {"biased": 1.0, "unbiased": 4 / 3}
  kind = next(
    (
      name
      for name, bessel in kinds.items()
      if abs(var - _two_steps(decay, debias, bessel)) < 1e-3
    ),
    f"neither (variance {number(var)})",
  )
  told = all(claim.decay is None for claim in library.claims)
  default = "no default" if told else f"{decay:.3g}"
  against = [
    f"{claim.source} says {said}"
    for claim in library.claims
    for said in _denied(claim, decay, kind)
  ]
  right = not against and kind in kinds
  return judge(right, "; ".join([f"{default}, {kind}", *against]))


def _denied(claim: Claim, decay: float, kind: str) -> list[str]:
  """Returns what a document says that is not so."""
  denied = []
  if claim.decay is not None and abs(decay - claim.decay) > 1e-3:
    denied.append(f"{claim.decay}")
  if claim.unbiased is not None:
    said = "unbiased" if claim.unbiased else "biased"
    denied += [said] * (kind != said)
  return denied


def _two_steps(decay: float, debias: bool, bessel: float) -> float:
  """Returns the running variance after both batches."""
  first, second = bessel, 4 * bessel
  if debias:
    return (decay * first + second) / (1 + decay)
  return decay * (decay + (1 - decay) * first) + (1 - decay) * second


CHECKS = [
  Check(
    "D4",
    "After one step of an average without the initial values, inference "
    f"uses the variance of that batch, {VAR:.3g} within 2%.",
    _first_step,
  ),
  Check(
    "D6",
    "After 100 steps at decay 0.99, on the same batch and by the least biased "
    f"rule that the library has, inference uses its variance, {VAR:.3g} "
    "within 2%.",
    _hundred_steps,
  ),
  Check(
    "D12",
    "The default decay, and whether running variances are biased, are as "
    "documented: measured by two steps.",
    _documented,
  ),
]
