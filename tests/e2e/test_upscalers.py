"""Which upscaler the buttons below a picture use: chosen where there is a choice, and remembered."""

from dataclasses import replace

from PIL import Image
from playwright.sync_api import expect

from e2e.conftest import Serve, Visit, open_page
from e2e.desk import Desk
from studio.i18n import text
from studio.requests import UpscaleRequest
from studio.service import Studio


def test_there_is_no_list_where_there_is_nothing_to_choose(desk: Desk) -> None:
    desk.go("image").fold("detail")
    expect(desk.find("hires-scale")).to_be_visible()
    expect(desk.find("upscaler")).to_be_hidden()


def test_what_is_chosen_enlarges_and_is_chosen_again_at_the_next_visit(serve: Serve, visit: Visit) -> None:
    studio, address = serve(demo=True)
    first = studio.default_model("upscale")
    _another(studio)
    desk = visit(address)
    desk.go("image").shape("Custom").type("256", "width").type("256", "height").paint("hills")
    button = desk.page.locator("#image-upscale2")
    expect(button).to_have_attribute("title", first.title)
    desk.fold("detail").choose("upscaler", "Sharper")
    expect(button).to_have_attribute("title", "Sharper")
    before = desk.pictures.first.get_attribute("src") or ""
    desk.press("Upscale ×2")
    expect(desk.pictures.first).not_to_have_attribute("src", before)
    desk.idle()
    asked = studio.jobs()[-1].request
    assert isinstance(asked, UpscaleRequest)
    assert (asked.model, asked.scale) == ("sharper", 2)
    expect(desk.details).to_contain_text("Sharper")
    desk.page.reload()
    desk.go("image")
    expect(desk.find("upscaler").locator("input").first).to_have_value("Sharper")
    expect(button).to_have_attribute("title", "Sharper")
    desk.page.wait_for_timeout(1500)  # the list comes anew once the fields are as they were left
    desk.choose("upscaler", text("page.auto", "en"))
    expect(desk.find("upscaler").locator("input").first).to_have_value(text("page.auto", "en"))
    expect(button).to_have_attribute("title", first.title)


def _another(studio: Studio) -> None:
    """A second upscaler, as if it had been put into the folder while the studio ran."""
    first = studio.default_model("upscale")
    studio.catalog.beside(lambda _: {"sharper": replace(first, id="sharper", title="Sharper", starter=False)})


def test_what_keeps_the_size_cleans_up(serve: Serve, visit: Visit) -> None:
    studio, address = serve(demo=True)
    first = studio.default_model("upscale")
    quiet = replace(first, id="quiet", title="Quiet", starter=False, limits={**first.limits, "max_scale": 1})
    desk = visit(address).go("image").shape("Custom").type("256", "width").type("256", "height").paint("hills")
    menu = desk.page.locator("#tab-image .a-menu").filter(has=desk.page.locator("#image-upscale2"))
    menu.locator(".a-menu-button").click()
    expect(menu.get_by_role("button", name="Upscale ×2")).to_be_visible()
    expect(menu.get_by_role("button", name="Clean up")).to_be_hidden()
    studio.catalog.beside(lambda _: {"quiet": quiet})
    desk.page.reload()
    desk.go("image").paint("hills again")
    before = desk.pictures.first.get_attribute("src") or ""
    desk.press("Clean up")
    expect(desk.pictures.first).not_to_have_attribute("src", before)
    desk.idle()
    asked = studio.jobs()[-1].request
    assert isinstance(asked, UpscaleRequest)
    assert (asked.model, asked.scale) == ("quiet", 1)
    expect(desk.details).to_contain_text(text("image.cleaned_up", "en"))
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None
    with Image.open(artifact.files[0]) as picture:
        assert picture.size == (256, 256)


def test_a_refiner_is_chosen_and_reaches_the_recipe(serve: Serve, visit: Visit) -> None:
    studio, _ = serve(demo=True)
    for name in ("second half", "another"):
        (studio.home.refiners / f"{name}.safetensors").write_bytes(b"")  # by its name alone it stands in the list
    desk = visit(open_page(studio)).go("image").fold("detail")
    desk.choose("refiner", "second half").type("0.6", "refiner-at")
    desk.paint("hills")
    artifact = studio.jobs()[-1].snapshot().artifact
    assert artifact is not None
    given = artifact.recipe["parameters"]
    assert (given["refiner"], given["refiner_at"]) == ("second half", 0.6)
    desk.page.reload()
    desk.go("image")
    expect(desk.find("refiner").locator("input").first).to_have_value("second half")
