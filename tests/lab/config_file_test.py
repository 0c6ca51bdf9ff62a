"""A config file's rules, and scripts/report.py with them."""

import pathlib
import subprocess
import sys

import pytest

from bnjax.lab import config_file, results
from bnjax.lab.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]
FILE = """
from bnjax.lab.results import Final, Rules, greater

def get_rules(config):
  return Rules(
    title=f"After {config.steps} steps, {len(config.arms)} arm",
    claims={"high": greater("it is high", "a", 0.5, step=config.steps)},
    figures={"end": Final(metrics=("test_accuracy",))},
  )
"""


def write(folder, text):
  path = folder / "my_test.py"
  path.write_text(text)
  return str(path)


def test_rules_follow_from_what_is_trained(tmp_path):
  file = write(tmp_path, FILE)
  rules = config_file.read_rules(
    f"{file}:mnist", {"steps": 9, "arms": {"a": {}}}
  )
  assert rules.title == "After 9 steps, 1 arm"
  assert rules.claims["high"].step == 9


def test_without_get_rules_there_is_the_usual_report(tmp_path):
  file = write(tmp_path, "")
  assert config_file.read_rules(file, {}) == results.Rules(title="my test")


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("def get_rules(config):\n  return {}", "get_rules returns dict, but"),
    ("def get_rules(config):\n  return config.stps", "line 2: AttributeErr"),
    ("x = 1\ny = x.z", "line 2: AttributeError: 'int' object has"),
    ("def f(:", "line 1: SyntaxError: invalid syntax"),
    (FILE.replace('"it is high"', "7"),
     "line 7: ValueError: Claim.text is 7, but should be a text"),
    (FILE.replace("metrics=", "metric="), "unexpected keyword argument"),
  ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(tmp_path, text, message):
  file = write(tmp_path, text)
  with pytest.raises(UserError) as caught:
    config_file.read_rules(file, {"steps": 1, "arms": {}})
  said = str(caught.value)
  assert said.startswith(f"--config: {file}: ")
  assert message in said
  assert "\n" not in said


def test_a_config_is_found_by_its_name_from_anywhere(tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  found = config_file.find("sweeps/norms")
  assert found.samefile(ROOT / "configs" / "sweeps" / "norms.py")
  mine = tmp_path / "configs" / "lenet.py"
  mine.parent.mkdir()
  mine.write_text("")
  assert config_file.find("lenet").samefile(mine)
  for name, near in {"lenett": "lenet", "configs/lent.py": mine.name}.items():
    with pytest.raises(UserError, match=f"is not there; did you mean .*{near}"):
      config_file.find(name)
  with pytest.raises(UserError, match=r"--sweep: x\.py is not there; for inst"):
    config_file.load("x.py", "--sweep")


@pytest.mark.parametrize(
  ("text", "message"),
  [
    ("", "does not define get_config(argument)"),
    ("get_config = 3", "does not define get_config(argument)"),
    ("def get_config(a):\n  return", "get_config returns NoneType, but should"),
    ("def get_config(a):\n  raise OSError('a\\nb')", "line 2: OSError: a b"),
    ("def get_config(a):\n  return get_config(a)", "line 2: RecursionError: "),
    ("def get_config():\n  return {}", "TypeError: get_config() takes 0"),
    ("import sys\nsys.exit(3)", "line 2: SystemExit: 3"),
    ("from bnjax.lab.config import base\n\ndef get_config(a):\n"
     "  return base(model='mpl')", "line 4: model.name: 'mpl' is not known"),
  ],
)  # fmt: skip
def test_what_get_config_raises_is_a_line(tmp_path, monkeypatch, text, message):
  write(tmp_path, text)
  monkeypatch.chdir(tmp_path)  # where a relative path names the file
  with pytest.raises(UserError) as caught:
    config_file.read_config("my_test.py:x")
  said = str(caught.value)
  assert said.startswith("--config: my_test.py")
  assert message in said
  assert "\n" not in said


def test_a_config_is_read_as_plain_groups(tmp_path):
  file = write(
    tmp_path,
    "from ml_collections import ConfigDict\n"
    "def get_config(a='none'):\n  return ConfigDict({'a': {'b': a}})",
  )
  assert config_file.read_config(file) == {"a": {"b": "none"}}
  assert config_file.read_config(f"{file}:x:y") == {"a": {"b": "x:y"}}


@pytest.fixture
def workdir(tmp_path):
  folder = tmp_path / "run"
  config = {"arms": {"a": {}}, "steps": 5, "seeds": 2,
            "model": {"name": "nowhere_at_all:Net"}}  # fmt: skip
  results.write_json(folder / "config.json", {"config": config})
  results.write_json(folder / "environment.json", {})
  results.write_rules(folder, results.Rules(title="Before"))
  results.append_rows(
    folder / "metrics.jsonl",
    [
      {"arm": "a", "seed": seed, "step": 5, "test_accuracy": 0.8 + seed / 10}
      for seed in (0, 1)
    ],
  )
  results.write_summary(folder)
  return folder


def run_report(*arguments):
  return subprocess.run(
    [sys.executable, "scripts/report.py", *arguments],
    cwd=ROOT, capture_output=True, text=True, check=False,
  )  # fmt: skip


def test_report_judges_by_the_rules_of_a_file(workdir, tmp_path):
  file = write(tmp_path, FILE)
  done = run_report(f"--workdir={workdir}", f"--config={file}")
  assert done.returncode == 0, done.stderr
  assert "After 5 steps, 1 arm" in done.stdout
  assert "claim 'high': added after the run" in done.stdout
  assert (workdir / "report" / "end.png").exists()
  kept = tmp_path / "kept"
  run_report(f"--workdir={workdir}", f"--config={file}", f"--export={kept}")
  recorded = results.read_rules(kept)
  assert list(recorded.rules.claims) == ["high"]
  assert recorded.first == results.Rules(title="Before")
  summary = results.read_json(kept / "summary.json")
  assert summary["claims"][0]["changed"] == "added after the run"
  assert results.read_workdir(kept).summarize()["claims"] == summary["claims"]
  wrong = write(tmp_path, FILE.replace('"a", 0.5', '"b", 0.5'))
  done = run_report(f"--workdir={workdir}", f"--config={wrong}")
  assert done.returncode == 1
  assert done.stderr.splitlines()[-1] == (
    f"error: {workdir}: claims.high.arm names no arm: 'b'; valid: a"
  )


def test_report_writes_a_table(workdir, tmp_path):
  done = run_report(f"--workdir={workdir}", f"--table={tmp_path / 't.csv'}")
  assert done.stdout == f"table: {tmp_path / 't.csv'}\n"
  assert (tmp_path / "t.csv").read_text().splitlines() == [
    "arm,seed,step,test_accuracy", "a,0,5,0.8", "a,1,5,0.9",
  ]  # fmt: skip
  done = run_report(f"--workdir={workdir}", "--table=t.txt")
  assert "error: --table: t.txt should end in .csv or .parquet" in done.stderr
