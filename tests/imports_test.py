"""What importing a part of bnjax loads: JAX, or Flax, and next to nothing."""

import functools
import json
import subprocess
import sys

import pytest

CODE = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


@functools.cache
def loaded(module):
  """The packages, other than Python's own, of a program that imports it."""
  text = subprocess.check_output(
    [sys.executable, "-c", CODE, module], text=True
  )
  return set(json.loads(text)) - sys.stdlib_module_names


@pytest.mark.parametrize(
  ("part", "base"),
  [
    ("bnjax", "jax"),
    ("bnjax.ops", "jax"),
    ("bnjax.interop", "jax"),
    ("bnjax.linen", "flax.linen"),
    ("bnjax.nnx", "flax.nnx"),
    ("bnjax.tools", "flax.linen"),
    ("bnjax.nnx.tools", "flax.nnx"),
  ],
)
def test_loads_little_beside_jax_or_flax(part, base):
  more = loaded(part) - loaded(base)
  assert "bnjax" in more
  assert more <= {"bnjax", "jaxtyping", "wadler_lindig"}
