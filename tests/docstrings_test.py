"""Examples of the public docstrings run where nothing was imported."""

import doctest
import inspect

import pytest

import bnjax
import bnjax.linen
import bnjax.nnx
import bnjax.tools
from bnjax import interop

CLASSES = {"Covariance", "Folded", "Moments", "Preset", "RenormLimits"}
CLASSES |= {"Rule", "Running", "BatchNorm"}


def _public():
  modules = (bnjax, bnjax.linen, bnjax.nnx, bnjax.tools, interop)
  for module in modules:
    for name, value in vars(module).items():
      ours = getattr(value, "__module__", "").startswith("bnjax")
      kind = inspect.isfunction(value) or inspect.isclass(value)
      if ours and kind and value.__doc__ and not name.startswith("_"):
        yield f"{module.__name__}.{name}", value


PUBLIC = dict(_public())


def test_classes_are_among_them_with_an_example():
  names = {name.split(".")[-1]: value for name, value in PUBLIC.items()}
  assert set(names) >= CLASSES
  for name in CLASSES:
    assert ">>> " in names[name].__doc__, name


@pytest.mark.parametrize("name", PUBLIC)
def test_example_imports_what_it_uses(name):
  test = doctest.DocTestParser().get_doctest(
    PUBLIC[name].__doc__, {}, name, None, 0
  )
  said = []
  flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
  doctest.DocTestRunner(optionflags=flags).run(test, out=said.append)
  assert not said, "".join(said)
