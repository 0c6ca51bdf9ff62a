"""What a check measured, and whether that is right."""

import warnings
from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.conformance.library import Library, NotApplicable

Verdict = Literal["right", "wrong", "not applicable", "not installed"]


class Outcome(NamedTuple):
  """One cell of the table.

  Attributes:
    verdict: right, wrong, not applicable or not installed.
    measured: in a few words; the reason, where nothing was measured.
  """

  verdict: Verdict
  measured: str = ""


class Check(NamedTuple):
  """One row of the table.

  Attributes:
    key: of the defect, such as "D1a".
    says: what is checked and what is expected, in a sentence or two.
    measure: the check itself; what it raises is an outcome, too.
  """

  key: str
  says: str
  measure: Callable[[Library], Outcome]


def judge(right: bool, measured: str) -> Outcome:
  """Returns the outcome of a comparison."""
  return Outcome("right" if right else "wrong", measured)


def run(check: Check, library: Library | None) -> Outcome:
  """Returns the outcome of one check of one library.

  An exception is an outcome: the library does not do what is asked.

  Args:
    check: one of `CHECKS`.
    library: None if it is not installed.
  """
  if library is None:
    return Outcome("not installed")
  with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    try:
      return check.measure(library)
    except NotApplicable as reason:
      return Outcome("not applicable", str(reason))
    except Exception as error:
      return Outcome("wrong", type(error).__name__)


def number(value: object) -> str:
  """Returns three figures."""
  return f"{float(np.asarray(value)):.3g}"
