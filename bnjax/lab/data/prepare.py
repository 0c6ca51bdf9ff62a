"""Has tensorflow-datasets (TFDS) prepare a data set, once, for later reading.

    python -m bnjax.lab.data.prepare mnist [--data_dir=...] [--manual_dir=...]

Preparing needs TensorFlow (`pip install 'bnjax[tfds]'`); reading what
was prepared does not. `--manual_dir` holds files already downloaded, under
their original names, for a machine without network.
"""

import argparse
import sys
from collections.abc import Sequence

from bnjax.lab import errors
from bnjax.lab.data import provide

VERSIONS = {"mnist": "3.0.1", "cifar10": "3.0.2", "imagenet2012": "5.1.0"}


def main(arguments: Sequence[str] | None = None) -> None:
  """Prepares one data set, unless it is, and prints its directory."""
  parser = argparse.ArgumentParser("python -m bnjax.lab.data.prepare")
  parser.add_argument("name", help=", ".join(VERSIONS))
  parser.add_argument("--data_dir", help="where TFDS keeps its data")
  parser.add_argument("--manual_dir", help="files already downloaded")
  flags = parser.parse_args(arguments)
  try:
    version = VERSIONS[errors.choice("name", flags.name, VERSIONS)]
    directory = provide.find(flags.name, version, flags.data_dir)
    if directory is None:
      directory = provide.prepare(
        flags.name, version, flags.data_dir, flags.manual_dir
      )
  except errors.UserError as error:
    sys.exit(str(error))
  print(directory)


if __name__ == "__main__":
  main()
