"""What Dagster loads: the code location of the study that lies in this machine's home.

The home is `MACROMICRO_HOME` (default `./home`), its settings are
`study.toml`. Without one the definitions still load, for a study of defaults, so that the graph can be looked at and
checked anywhere; its runs would work on an empty home.
"""

from __future__ import annotations

import dagster as dg

from assets.study import PAPER_ITEMS, Home, Study
from pipeline.location import definitions


def default_study() -> Study:
    """The paper's nine items in UTC: what is shown where no `study.toml` is."""
    settings = {"study": {"name": "no study yet", "timezone": "UTC"}, "items": {name: {} for name in PAPER_ITEMS}}
    return Study.model_validate(settings)


def _study(home: Home) -> Study:
    if home.study_file.exists():
        return home.study()
    dg.get_dagster_logger().warning(
        f"No {home.study_file}: showing the graph of a default study. Make one with "
        f"`macromicro --home {home.root} init --timezone <zone>`, or set MACROMICRO_HOME."
    )
    return default_study()


_home = Home.find()
defs = definitions(_home, _study(_home))
