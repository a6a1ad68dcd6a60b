"""The whole line on real self-reports without any sensor, through the commands a user types."""

import json
from pathlib import Path

import pytest

from tests.line.studies import lay_out_rowland, macromicro, macromicro_json

pytestmark = [pytest.mark.line_real, pytest.mark.real, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def rowland(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("rowland") / "home"
    lay_out_rowland(real_data, home)
    macromicro(home, "run")
    return home


def test_labels_alone_are_trained_on_evaluated_and_registered(rowland: Path, tmp_path: Path) -> None:
    status = macromicro_json(rowland, "status")
    assert status["champion"]["version"] >= 1
    macromicro(rowland, "evaluate", "--json", str(tmp_path / "table.json"))
    table = json.loads((tmp_path / "table.json").read_text())["P2"]
    assert table["personal_mean"]["pooled_ccc"] == pytest.approx(0.46, abs=0.02)
    assert table["ewma"]["pooled_ccc"] == pytest.approx(0.64, abs=0.02)
    assert table["macro_micro"]["pooled_ccc"] > table["personal_mean"]["pooled_ccc"]
