"""Runs a script once per list of arguments, after one import of what it needs.

python each.py SCRIPT < lists-of-arguments.json > outcomes.json
"""

import io
import json
import os
import runpy
import sys
import tempfile

import bnjax.lab.cli
import bnjax.lab.experiment.engine  # noqa: F401


def _run(script: str, arguments: list[str]) -> dict:
  with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
    child = os.fork()
    if not child:
      os.dup2(out.fileno(), 1)
      os.dup2(err.fileno(), 2)
      sys.argv = [script, *arguments]
      sys.stdout = io.TextIOWrapper(os.fdopen(1, "wb"), write_through=True)
      sys.stderr = io.TextIOWrapper(os.fdopen(2, "wb"), write_through=True)
      status = 0
      try:
        runpy.run_path(script, run_name="__main__")
      except SystemExit as stop:
        if isinstance(stop.code, str):
          print(stop.code, file=sys.stderr)
        status = stop.code if isinstance(stop.code, int) else bool(stop.code)
      except BaseException:
        sys.excepthook(*sys.exc_info())
        status = 1
      sys.stdout.flush()
      sys.stderr.flush()
      os._exit(status or 0)
    _, status = os.waitpid(child, 0)
    texts = []
    for file in (out, err):
      file.seek(0)
      texts.append(file.read().decode())
  code = os.waitstatus_to_exitcode(status)
  return {"returncode": code, "stdout": texts[0], "stderr": texts[1]}


if __name__ == "__main__":
  sys.path.insert(0, os.path.dirname(sys.argv[1]))  # as of a script itself
  lists = json.load(sys.stdin)
  json.dump([_run(sys.argv[1], one) for one in lists], sys.stdout)
