from pathlib import Path

from assets.features.catalogue import MODALITIES
from assets.features.page import REASONS, features_page
from assets.features.windows import Reason

PAGE = Path(__file__).resolve().parents[3] / "docs" / "features.md"


def test_the_page_is_what_the_catalogue_says() -> None:
    assert PAGE.read_text() == features_page(), "run: python -m assets.features.page > docs/features.md"


def test_every_reason_is_explained() -> None:
    assert set(REASONS) == set(Reason)


def test_every_feature_has_a_name_of_its_own_a_meaning_and_a_source() -> None:
    for features in MODALITIES.values():
        assert len({f.name for f in features}) == len(features)
        assert all(f.meaning and f.source for f in features)
