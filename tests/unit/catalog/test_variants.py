"""Variants of a model: their ids, their cards, and where they are offered."""

from pathlib import Path

import pytest
from tiny_card import tiny_card

from studio.catalog import variants
from studio.catalog.card import Source
from studio.catalog.catalog import Catalog
from studio.devices.device import Device
from studio.errors import StudioError
from studio.paths import Home


def card(**changes):
    return tiny_card(changes.pop("source", Source("bundled")), changes.pop("disk_bytes", 1), **changes)


CPU, CUDA, MPS = Device("cpu"), Device("cuda"), Device("mps")
GB = 1_000_000_000


@pytest.fixture
def painter():
    return card(
        id="painter", title="Painter", engine="diffusion", tasks=("image",), source=Source("hub", repo="a/b"),
        parameters=1_200_000_000, disk_bytes=2 * GB, memory_bytes=4 * GB, least_memory=3 * GB,
        options={"preview": "taesd"}, starter=False,
    )  # fmt: skip


@pytest.fixture
def catalog(painter):
    return Catalog({"painter": painter})


def test_a_variant_is_the_model_with_other_options_and_less_memory(catalog, painter):
    found = catalog.get("painter@int8")
    assert (found.id, found.base, found.variant) == ("painter@int8", "painter", "int8")
    assert (painter.base, painter.variant) == ("painter", "")
    assert found.source == painter.source
    assert found.options == {"preview": "taesd", "quantise": "int8", "offload": "none"}
    assert 3 * GB < found.memory_bytes < 4 * GB  # a third of 2.4 GB takes half
    assert catalog.get("painter@int4").memory_bytes < found.memory_bytes
    assert catalog.get("painter@offload").memory_bytes < painter.memory_bytes


def test_weights_that_compute_in_float32_shrink_to_a_quarter(painter):
    whole = card(engine="text", parameters=GB, memory_bytes=4 * GB, least_memory=4 * GB, starter=False)
    assert variants.derived(whole, "int8").memory_bytes == pytest.approx(4 * GB * (0.15 + 0.85 * 0.255), rel=0.01)


def test_what_is_not_there_is_refused_with_what_is(catalog):
    with pytest.raises(StudioError) as refused:
        catalog.get("painter@int7")
    assert refused.value.code == "unknown_variant"
    assert "painter@int8" in str(refused.value)
    with pytest.raises(StudioError) as refused:
        catalog.get("paintre@int8")
    assert refused.value.code == "unknown_model"
    assert catalog.find("painter@int7") is None


def test_four_bits_and_parts_are_for_graphics_cards(painter):
    assert variants.on(painter, CPU) == ("int8",)
    assert variants.on(painter, CUDA) == ("offload", "int8", "int4", "offload-int8")
    assert variants.on(painter, MPS) == ()


@pytest.mark.parametrize("engine", ["llama", "composer", "resample", "upscaler", "audiocraft"])
def test_models_that_cannot_have_none(engine):
    assert variants.of(card(engine=engine, starter=False)) == ()


def test_a_starter_and_a_variant_have_none(painter):
    assert variants.of(card(engine="diffusion", starter=True)) == ()
    assert variants.of(variants.derived(painter, "int8")) == ()


def test_a_model_that_its_table_puts_in_parts_already_is_not_offered_in_parts():
    own = card(engine="diffusion", starter=False, options={"offload": "model"})
    assert variants.on(own, CUDA) == ("int8", "int4", "offload-int8")


def test_a_processor_is_not_offered_what_only_costs_time_there():
    assert variants.on(card(engine="musicgen", starter=False), CPU) == ()
    assert variants.on(card(engine="musicgen", starter=False), CUDA) == ("int8", "int4")


def test_a_variant_that_does_not_work_on_the_device_is_refused(painter):
    small = variants.derived(painter, "int4")
    variants.require(small, painter, CUDA)
    with pytest.raises(StudioError) as refused:
        variants.require(small, painter, CPU)
    assert refused.value.code == "variant_not_here"
    assert "painter@int8" in str(refused.value)


def test_titles_are_in_the_readers_language(painter):
    small = variants.derived(painter, "int8")
    assert small.title == variants.title(small, "en") == "Painter · 8-bit"
    assert variants.title(small, "zh-CN") == "Painter · 8 位"
    assert variants.title(painter, "zh-CN") == "Painter"


def test_what_describes_a_model_behind_its_name_is_in_the_readers_language():
    assert variants.called("x", "Reader 2B (pictures)", "en") == "Reader 2B (pictures)"
    assert variants.called("x", "Reader 2B (pictures)", "zh-CN") == "Reader 2B（看图）"
    assert variants.called("x@int8", "Reader 2B (16-bit) · 8-bit", "zh-CN") == "Reader 2B（16 位） · 8 位"
    assert variants.called("demo-image@int8", "Demo painter · 8-bit", "zh-CN") == "演示绘画模型 · 8 位"
    assert variants.called("mine", "Mine (v2)", "zh-CN") == "Mine (v2)", "a name that somebody gave stays"


def test_no_title_of_ours_describes_in_one_language_only(tmp_path: Path):
    for card in Catalog.load(Home.at(tmp_path)).cards.values():
        assert not variants.title(card, "zh-CN").endswith(")"), card.id
