"""The public surface: re-exported, documented, with an example."""

import inspect

import pytest

import bnjax
from bnjax import ops

PUBLIC = sorted(name for name in vars(ops) if not name.startswith("_"))
FUNCTIONS = [
  name
  for name in PUBLIC
  if inspect.isfunction(getattr(ops, name))
  and getattr(ops, name).__module__.startswith("bnjax.")
]


def test_the_package_has_what_ops_has_and_nothing_else():
  here = {
    name
    for name, value in vars(bnjax).items()
    if not name.startswith("_") and not inspect.ismodule(value)
  }
  there = {name for name in PUBLIC if not inspect.ismodule(getattr(ops, name))}
  assert here == there


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_says_what_it_does_and_shows_it(name):
  text = getattr(ops, name).__doc__
  assert text
  assert text.splitlines()[0].endswith(".")
  assert ">>> " in text
