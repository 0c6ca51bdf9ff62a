import json

import pytest

from bnjax.results import (
  append_rows,
  differences,
  read_json,
  read_workdir,
  summarize,
  write_json,
  write_summary,
)

CONFIG = {
  "title": "a test",
  "dataset": {"name": "mnist"},
  "steps": 20,
  "seeds": 2,
  "arms": {"b": {}, "a": {"dataset": {"name": "digits"}}},
  "published": {
    "b": {
      "test_accuracy": {
        "mean": 0.5, "std": 0.1, "seeds": 5, "step": 20, "dataset": "mnist",
        "source": "a post",
      },
      "loss": {"steps": [10, 20, 30], "values": [4.0, 2.0, 1.0]},
    }
  },
  "claims": {
    "better": {
      "text": "b beats a", "metric": "test_accuracy", "arm": "b", "versus": "a",
    }
  },
  "notes": ["mind the gap"],
}  # fmt: skip
ENVIRONMENT = {"datasets": [{"name": "mnist", "train": 55000}]}


def row(arm, seed, step, accuracy, loss, diverged=None):
  return {
    "arm": arm,
    "seed": seed,
    "step": step,
    "test_accuracy": accuracy,
    "loss": loss,
    "data_loss": None if loss is None else loss - 0.5,
    "l2_loss": 0.5,
    "diverged_step": diverged,
    "train_seconds": step / 10,
  }


ROWS = [
  row("a", 0, 10, 0.1, 9.0),
  row("a", 1, 10, 0.1, 9.0),
  row("a", 0, 20, 0.1, None, 17),
  row("a", 1, 20, 0.3, 7.0),
  row("b", 0, 10, 0.3, 5.0),
  row("b", 1, 10, 0.4, 6.0),
  row("b", 0, 20, 0.5, 3.0),
  row("b", 1, 20, 0.7, 4.0),
]


def entries(summary):
  return {(e["arm"], e["metric"]): e for e in summary["entries"]}


def test_an_entry_has_the_numbers_of_the_last_step():
  entry = entries(summarize(CONFIG, ENVIRONMENT, ROWS))["b", "test_accuracy"]
  assert entry["step"] == 20
  assert entry["dataset"] == "mnist"
  assert entry["mean"] == pytest.approx(0.6)
  assert entry["std"] == pytest.approx(0.1)
  assert entry["sample_std"] == pytest.approx(0.1 * 2**0.5)
  # 0.6 +- t(1) * 0.1 sqrt(2) / sqrt(2), t(1) = 12.7062
  assert entry["interval"] == pytest.approx([0.6 - 1.27062, 0.6 + 1.27062])
  assert entry["seeds"] == 2
  assert entry["verdict"] == "holds"
  assert entry["difference"] == pytest.approx(0.1)
  assert entry["published"]["source"] == "a post"
  assert entry["diverged"] == {"count": 0, "runs": []}


def test_a_diverged_run_counts_and_its_accuracy_is_kept():
  found = entries(summarize(CONFIG, ENVIRONMENT, ROWS))
  accuracy, loss = found["a", "test_accuracy"], found["a", "loss"]
  assert accuracy["mean"] == pytest.approx(0.2)
  assert (accuracy["seeds"], accuracy["finite"]) == (2, 2)
  runs = {"count": 1, "runs": [{"seed": 0, "step": 17}]}
  assert accuracy["diverged"] == loss["diverged"] == runs
  assert (loss["mean"], loss["seeds"], loss["finite"]) == (7.0, 2, 1)


def test_arms_come_in_the_order_of_the_config():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  assert list(dict.fromkeys(e["arm"] for e in summary["entries"])) == ["b", "a"]


def test_an_arm_may_have_another_data_set():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  assert entries(summary)["a", "loss"]["dataset"] == "digits"


def test_published_curves_stand_beside_ours_with_the_loss_in_parts():
  (curve,) = summarize(CONFIG, ENVIRONMENT, ROWS)["curves"]
  assert curve["measured_on"] == "mnist"
  first, _, last = curve["points"]
  assert first == {
    "step": 10, "published": 4.0, "ours": 5.5, "std": 0.5, "seeds": 2,
    "finite": 2, "data_loss": 5.0, "l2_loss": 0.5,
  }  # fmt: skip
  assert (last["published"], last["ours"], last["seeds"]) == (1.0, None, 0)


def test_claims_and_notes_are_in_the_summary():
  summary = summarize(CONFIG, ENVIRONMENT, ROWS)
  (claim,) = summary["claims"]
  assert claim["text"] == "b beats a"
  assert claim["difference"] == pytest.approx(0.4)
  assert claim["interval"] == pytest.approx([0.4, 0.4])
  assert claim["verdict"] == "holds"
  assert summary["notes"] == ["mind the gap"]
  assert summary["title"] == "a test"
  assert summary["seconds"] == 4.0
  assert summary["notices"] == []


def test_what_an_unfinished_run_lacks_is_noticed():
  rows = [
    r for r in ROWS if r["arm"] == "b" and (r["seed"], r["step"]) != (1, 20)
  ]
  summary = summarize(CONFIG, ENVIRONMENT, rows)
  assert summary["notices"] == [
    "b: seed 1 stopped at step 10 of 20",
    "a: nothing was recorded",
  ]
  assert entries(summary)["b", "test_accuracy"]["verdict"] == (
    "cannot be compared"
  )
  more = summarize({**CONFIG, "seeds": 3}, ENVIRONMENT, ROWS)
  assert more["notices"][0] == "b: 2 of 3 seeds have rows"


def test_no_rows_give_an_empty_summary():
  summary = summarize({}, {}, [])
  assert summary["entries"] == summary["claims"] == []
  json.dumps(summary, allow_nan=False)


def test_a_work_directory_is_summarized_into_strict_json(tmp_path):
  write_json(tmp_path / "config.json", {"config": CONFIG})
  write_json(tmp_path / "environment.json", ENVIRONMENT)
  append_rows(tmp_path / "metrics.jsonl", ROWS)
  summary = write_summary(tmp_path)
  assert summary == read_json(tmp_path / "summary.json")
  assert read_workdir(tmp_path) == (CONFIG, ENVIRONMENT, ROWS, [])


def test_a_torn_line_is_noticed_in_the_summary(tmp_path):
  write_json(tmp_path / "config.json", {"config": CONFIG})
  write_json(tmp_path / "environment.json", ENVIRONMENT)
  append_rows(tmp_path / "metrics.jsonl", ROWS)
  with (tmp_path / "metrics.jsonl").open("a") as file:
    file.write('{"arm": "b", "se')
  assert "line 9 is torn" in write_summary(tmp_path)["notices"][0]


@pytest.mark.parametrize(
  ("old", "new", "lines"),
  [
    (CONFIG, CONFIG, []),
    ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 there, 2 here"]),
    ({"a": {"b": 1}}, {"a": 2}, ["a: {'b': 1} there, 2 here"]),
    ({"a": 1}, {}, ["a: 1 there, absent here"]),
  ],
)
def test_differences_name_fields(old, new, lines):
  assert differences(old, new) == lines
