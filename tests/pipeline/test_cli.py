import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from assets.study import PAPER_ITEMS, Home, read_study
from pipeline.cli import app

RUNNER = CliRunner()
HEADER = "participant,time,happy,sad\n"


def say(home: Path, *arguments: str, expect: int = 0) -> str:
    done = RUNNER.invoke(app, ["--home", str(home), *arguments])
    assert done.exit_code == expect, done.output + done.stderr
    return done.stdout if expect == 0 else done.stderr


@pytest.fixture
def made(home: Home) -> Home:
    say(home.root, "init", "--timezone", "Europe/Berlin")
    return home


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A home after its first night: three people, twenty answers each, no sensors; and what the night said."""
    root = tmp_path_factory.mktemp("labelled") / "home"
    say(root, "init", "--timezone", "Europe/Berlin")
    scales = "".join(f"[items.{item}]\nlow = 0\nhigh = 10\n" for item in ("happy", "sad"))
    (root / "study.toml").write_text(f'[study]\ntimezone = "Europe/Berlin"\n{scales}')
    rows = [
        f"P{person},2026-03-{2 + n // 4:02d}T{10 + n % 4 * 3}:00:00+01:00,"
        f"{(person * 2 + n) % 10},{(7 * n + person) % 10}\n"
        for person in range(1, 4)
        for n in range(20)
    ]
    reports = root / "inbox" / "self_reports" / "answers.csv"
    reports.parent.mkdir()
    reports.write_text(HEADER + "".join(rows))
    return root, say(root, "run")


def test_init_makes_a_home_of_the_papers_nine_items(made: Home) -> None:
    assert tuple(made.study().items) == PAPER_ITEMS
    assert made.inbox.is_dir()
    assert (made.dagster / "dagster.yaml").read_text() == Path("dagster.yaml").read_text()


def test_init_never_overwrites_a_study(made: Home) -> None:
    made.study_file.write_text("# mine\n")
    assert "is there already" in say(made.root, "init", "--timezone", "Europe/Paris", expect=1)
    say(made.root, "init", "--timezone", "Europe/Paris", "--if-absent")
    assert made.study_file.read_text() == "# mine\n"


def test_init_refuses_a_time_zone_that_is_none(home: Home) -> None:
    assert "'Berlin' is no time zone" in say(home.root, "init", "--timezone", "Berlin", expect=1)
    assert not home.study_file.exists()


@pytest.mark.parametrize("command", [["run"], ["status"], ["dumps"], ["predict", "P1"], ["evaluate"], ["ui"]])
def test_a_command_without_a_home_says_how_to_make_one(home: Home, command: list[str]) -> None:
    assert "init --timezone" in say(home.root, *command, expect=1)


def test_a_misspelt_setting_is_named(made: Home) -> None:
    made.study_file.write_text(made.study_file.read_text().replace("lookback_minutes", "look_back_minutes"))
    assert "[windows.look_back_minutes]" in say(made.root, "status", expect=1)


def test_an_empty_inbox_is_nothing_new(made: Home) -> None:
    assert "Nothing new, nothing to do" in say(made.root, "run")


def test_a_study_that_never_ran_has_a_status(made: Home) -> None:
    assert "none yet" in say(made.root, "status")


def test_a_person_without_a_model_is_told_to_run_a_night(made: Home) -> None:
    assert "macromicro run" in say(made.root, "predict", "P1", expect=1)
    assert "macromicro run" in say(made.root, "evaluate", expect=1)


def test_an_error_nobody_foresaw_is_named_without_a_traceback(made: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        message = "the disk is on fire"
        raise RuntimeError(message)

    monkeypatch.setattr("pipeline.overview.overview", broken)
    said = say(made.root, "status", expect=1)
    assert "RuntimeError: the disk is on fire" in said
    assert "Traceback" not in said


def test_a_first_night_says_what_it_did_and_that_the_answers_are_too_few(labelled: tuple[Path, str]) -> None:
    root, said = labelled
    assert "too few answers" in said
    assert "1 read" in said
    assert "120 items answered by 3 people" in " ".join(said.split())
    assert str(root) in said


def test_a_second_night_has_nothing_to_do_and_imports_neither_dagster_nor_mlflow(labelled: tuple[Path, str]) -> None:
    script = (
        "import sys; from pipeline.cli import app\n"
        f"try: app(['--home', {str(labelled[0])!r}, 'run'])\n"
        "except SystemExit as end: assert not end.code\n"
        "print([m for m in ('dagster', 'mlflow', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "Nothing new" in done.stdout
    assert done.stdout.strip().endswith("[]")


def test_status_tells_a_program_what_it_tells_a_person(labelled: tuple[Path, str]) -> None:
    status = json.loads(say(labelled[0], "status", "--json"))
    assert (status["participants"], status["dumps"], status["answers"]) == (3, {"read": 1}, 120)
    assert status["days"] == {"participant_days": 15, "first": "2026-03-02", "last": "2026-03-06"}
    assert status["last_night"]["state"] == "worked"
    assert status["champion"]["version"] == 1
    assert status["sizes"]["inbox"] == (labelled[0] / "inbox" / "self_reports" / "answers.csv").stat().st_size
    assert sum(status["lake_sizes"].values()) == status["sizes"]["lake"]
    assert {"inbox", "lake", "dagster", "mlflow", "reports", "logs"} <= status["sizes"].keys()
    assert {"self_reports", "ledger", "moments"} <= status["lake_sizes"].keys()
    assert "macro-micro version 1" in say(labelled[0], "status")


def test_dumps_are_found_by_state_and_by_participant(labelled: tuple[Path, str]) -> None:
    (row,) = json.loads(say(labelled[0], "dumps", "--json", "--participant", "P2"))
    assert (row["path"], row["state"], row["days"][0]) == ("self_reports/answers.csv", "read", "2026-03-02")
    assert json.loads(say(labelled[0], "dumps", "--json", "--state", "quarantined")) == []
    assert json.loads(say(labelled[0], "dumps", "--json", "--participant", "P9")) == []
    told = say(labelled[0], "dumps")
    assert "1 dump · 1 read" in told


def test_a_known_person_gets_every_item_with_its_interval(labelled: tuple[Path, str]) -> None:
    said = json.loads(say(labelled[0], "predict", "P1", "--json"))
    assert [item["item"] for item in said["items"]] == ["happy", "sad"]
    assert all(0 <= item["low"] <= item["value"] <= item["high"] <= 10 for item in said["items"])
    assert (said["day"], said["known_person"], said["answers_before"]) == ("2026-03-07", True, 20)


def test_a_new_person_is_called_new(labelled: tuple[Path, str]) -> None:
    assert json.loads(say(labelled[0], "predict", "P9", "--json"))["known_person"] is False
    assert "nobody of this code" in say(labelled[0], "predict", "P9")


def test_a_name_is_no_study_code(labelled: tuple[Path, str]) -> None:
    assert "no study code" in say(labelled[0], "predict", "Ada Lovelace", expect=1)


def test_the_evaluation_is_a_table_by_protocol_model_and_figure(labelled: tuple[Path, str], tmp_path: Path) -> None:
    assert "P2" in say(labelled[0], "evaluate", "--json", str(tmp_path / "table.json"))
    table = json.loads((tmp_path / "table.json").read_text())
    assert set(table) == {"P2", "P2N"}
    assert {"macro_micro", "ewma", "personal_mean"} <= set(table["P2"])
    assert {"pooled_ccc", "mae"} <= set(table["P2"]["ewma"])
    by_item = say(labelled[0], "evaluate", "--items", "--protocol", "P2N")
    assert "macro micro by item, P2N" in by_item
    assert all(item in by_item for item in table["P2"]["macro_micro"]["items"])


def test_other_seeds_and_the_control_are_shown_as_such_and_written_one_by_one(
    labelled: tuple[Path, str], tmp_path: Path
) -> None:
    told = " ".join(
        say(labelled[0], "evaluate", "--seeds", "2", "--permuted", "--json", str(tmp_path / "two.json")).split()
    )
    assert "answers in random order; 2 seeds, mean (lowest … highest)" in told
    assert "P2N: macro micro" in told
    two = json.loads((tmp_path / "two.json").read_text())
    assert [set(tables) for tables in two] == [{"P2", "P2N"}] * 2
    first, second = (tables["P2"]["personal_mean"]["pooled_ccc"] for tables in two)
    assert first != second  # each seed has an order of its own
    say(labelled[0], "evaluate", "--permuted", "--protocol", "P2", "--json", str(tmp_path / "one.json"))
    assert json.loads((tmp_path / "one.json").read_text()) == {"P2": two[0]["P2"]}


def test_the_settings_that_init_writes_are_those_it_was_given(made: Home) -> None:
    assert read_study(made.study_file).timezone == "Europe/Berlin"


def test_help_teaches_with_an_example_for_every_command() -> None:
    def commands(group: Any, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            yield (*before, name)
            yield from commands(command, (*before, name)) if hasattr(command, "commands") else ()

    known = list(commands(typer.main.get_command(app)))
    assert ("evaluate",) in known
    for command in known:
        said = RUNNER.invoke(app, [*command, "--help"], terminal_width=200).stdout
        assert re.search(r"macromicro (--home \S+ )?" + command[0], said), command


def test_help_fills_its_lines_and_loses_no_word() -> None:
    at_80 = RUNNER.invoke(app, ["run", "--help"], terminal_width=80).stdout.split("╭")[0]
    paragraphs = [p.splitlines() for p in re.split(r"\n\s*\n", at_80.strip())]
    for line, after in ((a, b) for lines in paragraphs for a, b in pairwise(lines)):
        assert len(line.rstrip()) + len(after.split()[0]) >= 79, line
    assert "retention in study.toml" in " ".join(RUNNER.invoke(app, ["clean", "--help"]).stdout.split())


def test_a_grid_is_judged_under_its_own_protocol_alone(made: Home) -> None:
    for other in (["--protocol", "P3"], ["--permuted"], ["--items"]):
        said = RUNNER.invoke(app, ["--home", str(made.root), "evaluate", "--grid", "small", *other])
        assert said.exit_code == 2
        assert "not both" in said.output


def test_help_waits_for_no_library_that_takes_its_time() -> None:
    slow = ("dagster", "matplotlib", "mlflow", "neurokit2", "opensmile", "pandas", "scipy", "sklearn", "torch")
    script = "import sys, pipeline.cli as c\ntry: c.app(['--help'])\nexcept SystemExit: pass\n"
    script += f"print([m for m in {slow} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_file_that_could_not_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    for command in (["predict", "P001", "--frame"], ["evaluate", "--json"]):
        said = say(tmp_path, *command, str(tmp_path / "nowhere" / "file"), expect=2)
        assert "there is no folder" in said


def test_a_home_that_is_a_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "is a file; a home is a folder" in say(tmp_path / "file", "status", expect=1)


def test_a_reader_that_goes_away_ends_no_command() -> None:
    program = (
        "from pipeline.commands.context import Terminal\n"
        "import sys, time\n"
        "terminal = Terminal(soft_wrap=False)\n"
        "for line in range(20_000): terminal.print(f'line {line} of many')\n"
        "print('done', file=sys.stderr)\n"
    )
    command = f'"{sys.executable}" -c "$PROGRAM" | head -1'
    done = subprocess.run(
        ["bash", "-c", command], env={**os.environ, "PROGRAM": program}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "line 0 of many\n"
    assert done.stderr == "done\n"
