import pytest

from assets.learning.wishes import macro_wished, wish_macro
from assets.study import Home, Study
from pipeline import facts


def test_a_wished_macro_night_is_due_although_nothing_is_new(
    home: Home, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_registered", lambda _: True)
    monkeypatch.setattr(facts, "learnable", lambda *_: "these answers")
    facts.note_learnt(home, study)
    assert facts.learnt(home) == "these answers"
    wish_macro(home)
    assert facts.learnt(home) is None
    facts.note_learnt(home, study)
    assert not macro_wished(home)
    assert facts.learnt(home) == "these answers"
