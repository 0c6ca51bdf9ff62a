"""Benchmarks, side by side in one process; prints Markdown.

python scripts/bench.py --suite=experiment --output=docs/benchmarks

On an accelerator, all that is asked of it, in six minutes:

python scripts/bench.py --suite=gpu --output=docs/benchmarks
"""

import _first  # isort: skip # noqa: F401

import os
import pathlib

# PyTorch is timed in the same process and needs memory of the same device.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

from absl import flags

import benchmarks as bench
from benchmarks.outputs import writable
from bnjax.lab import cli as console

_SUITE = flags.DEFINE_enum("suite", "experiment", bench.SUITES, "What to time.")
_ROUNDS = flags.DEFINE_integer(
  "rounds", 11, "Rounds; figures are medians.", lower_bound=1
)
_OUTPUT = flags.DEFINE_string(
  "output", None, "Also write SUITE-BACKEND.md here."
)


def main(argv: list[str]) -> None:
  """Runs a suite, prints it and, if asked, writes it."""
  del argv
  path = None
  if _OUTPUT.value:
    name = f"{_SUITE.value}-{bench.backend()}.md"
    path = writable("output", pathlib.Path(_OUTPUT.value) / name)
  text = bench.SUITES[_SUITE.value](_ROUNDS.value)
  print(text)
  if path is not None:
    path.write_text(text + "\n")


if __name__ == "__main__":
  console.run(main)
