from assets.monitoring.sizes import home_sizes, lake_sizes
from assets.study import Home


def test_every_part_and_every_table_is_counted_once_and_links_are_not_followed(home: Home) -> None:
    for path, count in (("lake/hrv/date=1/part.parquet", 7), ("lake/hrv/date=2/part.parquet", 5), ("lake/eda/p", 90)):
        place = home.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(bytes(count))
    (home.lake / "stray").write_bytes(bytes(3))
    (home.root / "logs").mkdir()
    (home.root / "logs" / "night.log").write_bytes(bytes(11))
    (home.lake / "eda" / "elsewhere").symlink_to(home.lake / "hrv")
    link = (home.lake / "eda" / "elsewhere").lstat().st_size
    assert list(lake_sizes(home).items()) == [("eda", 90 + link), ("hrv", 12), ("(beside)", 3)]
    assert home_sizes(home) == {"lake": 105 + link, "logs": 11}


def test_an_empty_home_takes_no_room(home: Home) -> None:
    assert (home_sizes(home), lake_sizes(home)) == ({}, {})
