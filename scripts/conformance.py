"""Checks batch norm in every library that is installed; writes the table.

  pip install '.[lab,peers]'
  python scripts/conformance.py --output=docs/conformance.md

Exit status: 1 if a cell of bnjax is wrong. Runs on the CPU, as 8 devices.
"""

import _first  # isort: skip # noqa: F401

import datetime
import pathlib
import sys

import jax
from absl import flags

from benchmarks import conformance
from benchmarks.outputs import writable
from benchmarks.timing import describe_machine
from bnjax.lab import cli as console

_OUTPUT = flags.DEFINE_string("output", "docs/conformance.md", "The table.")


def main(argv: list[str]) -> None:
  """Measures, writes and says what of bnjax is wrong."""
  del argv
  path = writable("output", pathlib.Path(_OUTPUT.value))
  jax.config.update("jax_num_cpu_devices", 8)
  jax.config.update("jax_platforms", "cpu")
  table = conformance.measure(conformance.LIBRARIES)
  machine = describe_machine()
  versions = conformance.versions()
  facts = [
    f"Command: `python scripts/conformance.py --output={_OUTPUT.value}`",
    f"Date: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
    f"Versions: Python {machine['python']}, "
    + ", ".join(f"{name} {version}" for name, version in versions.items()),
    f"Machine: {machine['processor']}, {machine['cpus']} cores, as "
    f"{len(machine['devices'])} CPU devices",
  ]
  text = conformance.to_markdown(table, facts)
  path.write_text(text, encoding="utf-8")
  print(text)
  if wrong := conformance.failures(table):
    sys.exit("wrong: " + "; ".join(wrong))


if __name__ == "__main__":
  console.run(main)
