"""The checks: one row each, in the order of the defects' numbers."""

from benchmarks.conformance.checks import averages, devices, exact, gradients
from benchmarks.conformance.outcome import Check


def _order(check: Check) -> tuple[int, str]:
  digits = check.key.strip("Dabcdefgh")
  return int(digits), check.key


CHECKS: list[Check] = sorted(
  [
    *exact.CHECKS,
    *averages.CHECKS,
    *devices.CHECKS,
    *gradients.CHECKS,
  ],
  key=_order,
)
