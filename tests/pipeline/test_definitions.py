"""What Dagster sees of the line; a change of the graph is a change of tests/pipeline/graph.json, made on purpose."""

import json
import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from assets.study import Home, Study
from pipeline.location import definitions

SNAPSHOT = Path(__file__).with_name("graph.json")
HEAVY = ("torch", "mlflow", "neurokit2", "opensmile", "scipy", "sklearn", "matplotlib", "pandas")
LIST = (
    "import json, resource, sys\nfrom pipeline.definitions import defs\n"
    "defs.resolve_asset_graph()\nused = resource.getrusage(resource.RUSAGE_SELF)\n"
    f"print(json.dumps([used.ru_utime + used.ru_stime, [m for m in {HEAVY!r} if m in sys.modules]]))"
)


def graph(defs: dg.Definitions) -> dict[str, object]:
    assets = defs.resolve_asset_graph()
    nodes = {key.to_user_string(): assets.get(key) for key in sorted(assets.get_all_asset_keys())}
    jobs = {job: defs.resolve_job_def(job) for job in ("nightly", "days", "ingest", "learning", "paper_grid")}
    return {
        "assets": {
            name: {
                "group": node.group_name,
                "daily": node.partitions_def is not None,
                "after": sorted(key.to_user_string() for key in node.parent_keys),
            }
            for name, node in nodes.items()
        },
        "checks": sorted(f"{key.asset_key.to_user_string()}:{key.name}" for key in assets.asset_check_keys),
        "jobs": {
            name: sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
            for name, job in jobs.items()
        },
        "schedules": [s.name for s in defs.schedules or ()],
        "sensors": [s.name for s in defs.sensors or ()],
    }


def test_the_graph_is_the_one_agreed_on(home: Home, study: Study) -> None:
    found = graph(definitions(home, study))
    if os.environ.get("WRITE_GRAPH"):
        SNAPSHOT.write_text(json.dumps(found, indent=2) + "\n")
    assert found == json.loads(SNAPSHOT.read_text())


def test_every_asset_tells_a_researcher_what_it_is_and_whose(home: Home, study: Study) -> None:
    assets = definitions(home, study).resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        node = assets.get(key)
        assert len(node.description or "") > 20, key
        assert node.owners, key
        assert node.kinds, key


def test_daily_assets_take_a_whole_range_in_one_run(home: Home, study: Study) -> None:
    assets = definitions(home, study).resolve_asset_graph()
    for key in assets.get_all_asset_keys():
        if assets.get(key).partitions_def is not None:
            assert assets.get(key).backfill_policy == dg.BackfillPolicy.single_run(), key


def test_listing_the_definitions_is_quick_and_imports_nothing_heavy(tmp_path: Path) -> None:
    environment = {**os.environ, "MACROMICRO_HOME": str(tmp_path / "nowhere")}
    done = subprocess.run([sys.executable, "-c", LIST], capture_output=True, text=True, check=True, env=environment)
    seconds, heavy = json.loads(done.stdout.splitlines()[-1])
    assert heavy == []
    assert seconds < 5


def test_without_a_study_the_definitions_load_and_say_so(tmp_path: Path) -> None:
    environment = {**os.environ, "MACROMICRO_HOME": str(tmp_path / "nowhere")}
    command = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", "pipeline.definitions"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "showing the graph of a default study" in done.stdout + done.stderr
    assert not (tmp_path / "nowhere").exists()


def test_no_asset_depends_on_one_that_the_same_step_makes(home: Home, study: Study) -> None:
    """Dagster's pages would refuse to backfill them: partitions that one passes on to the other count as different."""
    assets = definitions(home, study).resolve_asset_graph()
    sisters = {key: assets.get(key).execution_set_asset_keys - {key} for key in assets.get_all_asset_keys()}
    assert any(sisters.values())
    assert {key.to_user_string() for key, own in sisters.items() if own & assets.get(key).parent_keys} == set()


def test_threads_that_wait_sleep_unless_the_environment_says_otherwise() -> None:
    ask = "import os, pipeline.cli; print(os.environ['OMP_WAIT_POLICY'])"
    unset = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    for given, expected in (({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")):
        command = [sys.executable, "-c", ask]
        assert subprocess.check_output(command, env=unset | given, text=True).strip() == expected
