"""The conformance table: bnjax is right, checks can fail, the page is true."""

import functools
import pathlib
import re
import warnings

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from benchmarks import conformance
from benchmarks.conformance import CHECKS, LIBRARIES, OURS, Check, Outcome, Row
from benchmarks.conformance.library import (
  EPSILON,
  Claim,
  Library,
  NotApplicable,
)

PAGE = pathlib.Path(__file__).parents[2] / "docs" / "conformance.md"
KEYS = pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.key)


@pytest.fixture(scope="module")
def ours():
  return conformance.measure(OURS)


@KEYS
@pytest.mark.parametrize("name", OURS)
def test_bnjax_is_right(ours, check, name):
  outcome = ours[check.key].cells[name]
  if (check.key, name) == ("D8", "bnjax.ops"):
    assert outcome == ("not applicable", "an argument of each call")
  else:
    assert outcome.verdict == "right", outcome


def _statistics(x, settings, mask):
  """One pass in x's dtype, shards alike, groups ignored, no clamp."""
  weight = jnp.ones_like(x) if mask is None else mask.astype(x.dtype)
  count = weight.sum(0)
  mean = (weight * x).sum(0) / count
  shift = _far_away(x)
  squares = (weight * (x - shift) ** 2).sum(0) / count
  if settings.axis_name is None:
    return mean, squares - (mean - shift) ** 2
  mean = lax.pmean(mean, settings.axis_name)
  return mean, lax.pmean(squares - (mean - shift) ** 2, settings.axis_name)


def _far_away(x):
  """A number far from all of x, taken in a way that its shards do not allow."""
  parts = (jnp.abs(x[i::3]).ravel().max(initial=0) for i in range(3))
  return -100 * lax.stop_gradient(functools.reduce(jnp.maximum, parts))


def _normalize(x, mean, var):
  return (x - mean[None]) * lax.rsqrt(var + EPSILON)[None]


@jax.custom_vjp
def _reverse_only(x, mean, var):
  return _normalize(x, mean, var)


_reverse_only.defvjp(
  lambda *args: jax.vjp(_normalize, *args),
  lambda pullback, dy: pullback(dy),
)


class Naive(Library):
  """Makes every mistake of the table."""

  name = "naive"
  masks = debiases = True
  claims = (Claim("its documentation", 0.9, unbiased=True),)

  def step(self, x, settings, *, state=None, mask=None, relu=False):
    mean, var = _statistics(x, settings, mask)
    pooled = settings.axis_name is not None
    y = (_normalize if pooled else _reverse_only)(x, mean, var)
    old = (0 * mean, 0 * var + 1) if state is None else state
    decay = 0.99 if settings.decay is None else settings.decay
    new = (
      decay * a + (1 - decay) * b for a, b in zip(old, (mean, var), strict=True)
    )
    return y, tuple(value.astype(x.dtype) for value in new)

  def infer(self, x, settings, state):
    return _normalize(x, *(value.astype(x.dtype) for value in state))

  def state_of(self, mean, var, settings):
    return jnp.asarray(mean), jnp.asarray(var)

  def statistics(self, state):
    return list(state)


@functools.cache
def _naive(check):
  return conformance.run(check, Naive())


@KEYS
def test_check_can_fail(check):
  outcome = _naive(check)
  assert outcome.verdict == "wrong", outcome
  # For what it measured, not for an exception by the way.
  allowed = {
    "D8": "NameError",
    "D13": "TypeError",
    "D14a": "ShardingTypeError",
    "D14b": "ShardingTypeError",
  }.get(check.key, "")
  assert "Error" not in outcome.measured.replace(allowed or "-", ""), outcome


def test_what_is_measured_is_what_was_done():
  measured = {check.key: _naive(check).measured for check in CHECKS}
  assert measured["D1b"] == "nan, nan"
  assert measured["D3c"] == "bfloat16"
  assert measured["D9"] == "y = 0, var 0.99"
  assert measured["D10a"].endswith(".0")
  assert measured["D11a"].startswith("2, ")
  assert measured["D12"].startswith("0.99, biased; ")


def test_exceptions_are_outcomes():
  def raises(error):
    def measure(library):
      raise error

    return conformance.run(Check("D0", "", measure), Naive())

  assert raises(TypeError("no")) == Outcome("wrong", "TypeError")
  assert raises(NotApplicable("no mask")) == ("not applicable", "no mask")
  check = Check("D0", "", lambda library: Outcome("right"))
  assert conformance.run(check, None) == Outcome("not installed")


COMMON = [
  check
  for check in CHECKS
  if check.key in ("D2a", "D2b", "D3a", "D6", "D10a", "D12")
]


@pytest.mark.parametrize("name", [n for n in LIBRARIES if n not in OURS])
def test_peers_are_measured(name):
  with warnings.catch_warnings(), jax.numpy_rank_promotion("allow"):
    warnings.simplefilter("ignore")
    library = conformance.load(name)
    if library is None:
      pytest.skip(f"{name} is not installed")
    cells = [conformance.run(check, library) for check in COMMON]
  # No adapter is at fault: these can be asked of every library.
  for cell in cells:
    assert cell.verdict in ("right", "wrong")
    assert "Error" not in cell.measured


def test_page_is_read_as_it_was_written():
  table = {
    "D1": Row("Is 1.", {"a": Outcome("right", "1: yes"), "b": Outcome("wrong")})
  }
  text = conformance.to_markdown(table, ["Date: today"])
  assert "| D1 | Is 1. | right: 1: yes | **wrong** |" in text
  assert conformance.parse(text) == table


def test_failures_name_the_cells():
  cells = dict.fromkeys(OURS, Outcome("right")) | {"torch": Outcome("wrong")}
  assert conformance.failures({"D1": Row("", cells)}) == []
  cells["bnjax.nnx"] = Outcome("wrong", "nan")
  failures = conformance.failures({"D1": Row("", cells)})
  assert failures == ["D1 bnjax.nnx: wrong nan"]


def test_committed_page_is_up_to_date(ours):
  page = conformance.parse(PAGE.read_text(encoding="utf-8"))
  assert list(page) == [check.key for check in CHECKS]
  rounding = lambda text: re.sub(r"\d+e-\d+", "tiny", text)
  for key, row in ours.items():
    assert list(page[key].cells) == list(LIBRARIES)
    assert page[key].says == row.says
    for name in OURS:
      committed, now = page[key].cells[name], row.cells[name]
      assert committed.verdict == now.verdict
      assert rounding(committed.measured) == rounding(now.measured)
  assert conformance.failures(page) == []


def test_page_has_no_text_that_breaks_the_table():
  assert all("|" not in check.says for check in CHECKS)
  assert len({check.key for check in CHECKS}) == len(CHECKS)
