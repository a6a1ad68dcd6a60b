import json
import socket
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.errors import FeatureError, StudyError
from assets.features.embedding import (
    VOICE_EMBEDDINGS,
    embeddings,
    projected,
    tidy_embeddings,
    wanted_embeddings,
)
from assets.features.wav2vec import embed, fingerprint, licence, load
from assets.lake import Lake
from assets.moments.build import Sources, build_days, build_moments
from assets.moments.table import EMBEDDED, modalities
from assets.moments.unit import refresh_moments
from assets.study import Home, Study, read_study
from assets.tables import ACOUSTIC_TABLE, EMBEDDINGS_TABLE, SELF_REPORTS, WINDOWED
from assets.units import run_unit
from tests.assets.features.test_acoustic import RATE, clips, vowel
from tests.assets.features.test_voice_details import asking, spoken

transformers = pytest.importorskip("transformers")
START_US = 1_770_000_000_000_000
SMALL = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "conv_dim": [8, 8, 8], "conv_kernel": [10, 8, 4], "conv_stride": [5, 8, 8], "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
}  # fmt: skip


def network_folder(folder: Path, *, norm: str = "layer", seed: int = 0, normalise: bool = True) -> Path:
    """A tiny wav2vec 2.0 with random weights, laid out as real ones are."""
    torch = pytest.importorskip("torch")
    torch.manual_seed(seed)
    config = transformers.Wav2Vec2Config(**SMALL, feat_extract_norm=norm, do_stable_layer_norm=norm == "layer")
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=normalise).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network_folder(tmp_path_factory.mktemp("network"))


@pytest.mark.parametrize(("norm", "normalise"), [("layer", True), ("group", False)])
def test_a_vector_is_the_mean_of_the_last_layer_as_the_library_itself_gives_it(
    tmp_path: Path, norm: str, *, normalise: bool
) -> None:
    place, audio = network_folder(tmp_path, norm=norm, normalise=normalise), vowel(1.3) + np.float32(0.1)
    model = transformers.Wav2Vec2Model.from_pretrained(place).eval()
    prepare = transformers.Wav2Vec2FeatureExtractor.from_pretrained(place)
    with pytest.importorskip("torch").no_grad():
        hidden = model(prepare(audio, sampling_rate=RATE, return_tensors="pt").input_values).last_hidden_state
    found = embed(load(place, fingerprint(place)), [audio])
    assert found.shape == (1, 16)
    np.testing.assert_allclose(found[0], hidden[0].mean(0).numpy(), atol=1e-5)


@pytest.mark.parametrize("norm", ["layer", "group"])
def test_clips_of_any_length_together_are_as_one_by_one(tmp_path: Path, norm: str) -> None:
    place = network_folder(tmp_path, norm=norm)
    network = load(place, fingerprint(place))
    audio = [vowel(s, p) for s, p in ((0.5, 0.5), (2.0, 0.2), (1.1, 0.9), (1.1, 0.3))]
    together = embed(network, audio)
    np.testing.assert_allclose(together, np.vstack([embed(network, [a]) for a in audio]), atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-3
    assert embed(network, []).shape == (0, 16)


def test_a_long_clip_is_heard_in_pieces_and_counts_every_frame_once(folder: Path) -> None:
    network = load(folder, fingerprint(folder))
    half = np.random.default_rng(0).standard_normal(20 * RATE).astype(np.float32)
    half = (half - half.mean()) / half.std()
    whole = embed(network, [np.r_[half, half]])[0]  # 40 s: two pieces, each one half
    np.testing.assert_allclose(whole, embed(network, [half])[0], atol=1e-4)


def test_another_hash_is_refused_and_told(folder: Path) -> None:
    with pytest.raises(FeatureError, match=f"its hash is {fingerprint(folder)}"):
        load(folder, "0" * 64)


def test_a_changed_setting_changes_the_hash_and_is_noticed(tmp_path: Path) -> None:
    place = network_folder(tmp_path)
    before = fingerprint(place)
    load(place, before)
    settings = json.loads((place / "preprocessor_config.json").read_text())
    (place / "preprocessor_config.json").write_text(json.dumps(settings | {"do_normalize": False}))
    assert fingerprint(place) != before
    with pytest.raises(FeatureError, match="is not the one of study.toml"):
        load(place, before)


def test_a_folder_without_safe_weights_is_refused(tmp_path: Path) -> None:
    place = network_folder(tmp_path)
    (place / "model.safetensors").rename(place / "pytorch_model.bin")
    with pytest.raises(FeatureError, match=r"has no model\.safetensors"):
        load(place, "0" * 64)


def test_a_network_that_lacks_weights_is_refused_rather_than_guessed(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    place = network_folder(tmp_path)
    weights = load_file(place / "model.safetensors")
    weights.pop("encoder.layers.1.attention.q_proj.weight")
    save_file(weights, place / "model.safetensors", {"format": "pt"})
    with pytest.raises(FeatureError, match=r"lacks weights.*q_proj"):
        load(place, fingerprint(place))


def test_a_network_with_a_head_and_the_names_of_older_torch_is_the_same_below_its_head(tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    plain, headed = network_folder(tmp_path / "plain"), network_folder(tmp_path / "headed", seed=9)
    weights = load_file(plain / "model.safetensors")
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, name in old.items():
        for key in [k for k in weights if k.endswith(new)]:
            weights[key.replace(new, name)] = weights.pop(key)
    assert any(key.endswith("weight_g") for key in weights)
    head = pytest.importorskip("torch").ones(3, 16)
    named = {f"wav2vec2.{key}": value for key, value in weights.items()} | {"classifier.out_proj.weight": head}
    save_file(named, headed / "model.safetensors", {"format": "pt"})
    found = [embed(load(place, fingerprint(place)), [vowel(0.5)]) for place in (plain, headed)]
    np.testing.assert_array_equal(*found)


def test_another_kind_of_network_is_refused(tmp_path: Path) -> None:
    place = network_folder(tmp_path)
    config = json.loads((place / "config.json").read_text())
    (place / "config.json").write_text(json.dumps(config | {"model_type": "bert"}))
    with pytest.raises(FeatureError, match="is a bert"):
        load(place, fingerprint(place))


def test_loading_asks_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        message = "the network was asked"
        raise AssertionError(message)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    place = network_folder(tmp_path, seed=1)
    assert embed(load(place, fingerprint(place)), [vowel(0.5)]).shape == (1, 16)


def test_the_licence_is_told_and_so_is_its_absence(tmp_path: Path) -> None:
    assert licence(tmp_path).startswith("not told")
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-sa-4.0\n---\n")
    assert licence(tmp_path) == "cc-by-nc-sa-4.0"
    (tmp_path / "LICENSE.txt").write_text("\n Creative Commons BY-NC-SA 4.0\n")
    assert licence(tmp_path) == "Creative Commons BY-NC-SA 4.0"


def test_the_projection_keeps_distances_and_never_changes() -> None:
    vectors = np.random.default_rng(0).standard_normal((40, 768)).astype(np.float32)
    few = projected(vectors)
    assert few.shape == (40, 32)
    ratio = np.linalg.norm(few[0] - few[1:], axis=1) / np.linalg.norm(vectors[0] - vectors[1:], axis=1)
    assert 0.6 < ratio.min() < ratio.mean() < 1.15
    assert ratio.max() < 1.5
    ones = projected(np.ones((1, 4), np.float32))[0] * np.sqrt(32)
    assert set(ones) <= {-4, -2, 0, 2, 4}
    np.testing.assert_array_equal(projected(vectors), few)


def test_a_clip_that_cannot_be_heard_has_a_reason_and_no_vector(folder: Path) -> None:
    frame = embeddings(clips(vowel(), np.zeros(RATE, np.float32), None), load(folder, fingerprint(folder)), "f")
    assert frame.schema == EMBEDDINGS_TABLE.empty().schema
    assert frame["reason"].to_list() == [None, "silent", "unreadable"]
    assert frame["embedding"].is_null().to_list() == frame["projection_31"].is_null().to_list() == [False, True, True]
    assert frame["embedding"].list.len()[0] == 16


def with_network(study: Study, folder: Path) -> Study:
    return asking(study, embedding_model=str(folder), embedding_sha256=fingerprint(folder))


def test_embeddings_are_computed_again_only_for_other_clips_or_another_network(
    home: Home, study: Study, folder: Path, tmp_path: Path
) -> None:
    key, asked = spoken(home, vowel(0.6)), with_network(study, folder)
    assert wanted_embeddings(home, study) == {}
    first = run_unit(VOICE_EMBEDDINGS, home, asked, wanted_embeddings(home, asked), quiet=True)
    again = run_unit(VOICE_EMBEDDINGS, home, asked, wanted_embeddings(home, asked), quiet=True)
    assert (first.computed, again.computed, again.skipped) == ([key], [], 1)
    before = Lake(home.lake).read(EMBEDDINGS_TABLE, key)["embedding"][0].to_list()
    other = with_network(study, network_folder(tmp_path / "other", seed=5))
    assert run_unit(VOICE_EMBEDDINGS, home, other, wanted_embeddings(home, other), quiet=True).computed == [key]
    assert Lake(home.lake).read(EMBEDDINGS_TABLE, key)["embedding"][0].to_list() != before
    assert tidy_embeddings(home, study) == [key]
    assert not Lake(home.lake).exists(EMBEDDINGS_TABLE, key)


def test_a_network_that_is_gone_fails_the_day_with_words_and_leaves_the_voice_missing(
    home: Home, study: Study, tmp_path: Path
) -> None:
    spoken(home, vowel(0.6))
    asked = asking(study, embedding_model=str(tmp_path / "gone"), embedding_sha256="0" * 64)
    report = run_unit(VOICE_EMBEDDINGS, home, asked, wanted_embeddings(home, asked), quiet=True)
    assert [why for why in report.failed.values() if "has no config.json" in why]
    assert report.computed == []


def test_moments_take_the_clip_before_the_answer_and_none_after_it(study: Study, folder: Path) -> None:
    asked, minute = with_network(study, folder), 60_000_000
    given = clips(vowel(0.6), vowel(0.6, 0.2))
    given = given.with_columns(time_us=pl.lit(START_US) + pl.col("time_us") * 20 * minute)
    rows = embeddings(given, load(folder, fingerprint(folder)), "f")
    times = [int(rows["time_us"][0]) + 10 * minute, int(rows["time_us"][1]) + 10 * minute]
    reports = SELF_REPORTS.frame([{"time_us": t, "item": "happy", "value": 5.0, "dump": "d"} for t in times])
    windows = {name: table.empty() for name, table in WINDOWED.items()}
    source = Sources(reports, windows, ACOUSTIC_TABLE.empty(), embeddings=rows)
    frame = build_moments(source, build_days(source, asked, "P1"), asked, "P1")
    name = f"{EMBEDDED}.projection_07"
    assert frame[name].to_list() == rows["projection_07"].to_list()
    assert frame[f"{name}.past_mean"].to_list() == [None, rows["projection_07"][0]]
    assert frame["voice.past_n"].to_list() == [0, 0]


def test_a_study_without_a_network_has_no_such_modality(home: Home, study: Study, folder: Path) -> None:
    assert EMBEDDED not in modalities(study)
    assert len(modalities(with_network(study, folder))[EMBEDDED]) == 32
    spoken(home, vowel(0.6))
    refresh_moments(home, study, quiet=True)  # reads a lake that has no such table
    assert list(Lake(home.lake).keys(EMBEDDINGS_TABLE)) == []


def test_a_network_without_its_hash_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    text = '[study]\ntimezone = "UTC"\n[items.happy]\n[features]\nembedding_model = "net"\n'
    path.write_text(text)
    with pytest.raises(StudyError, match="belong together"):
        read_study(path)
    path.write_text(text + f'embedding_sha256 = "{"0" * 64}"\n')
    assert read_study(path).features.embedding_model == "net"
