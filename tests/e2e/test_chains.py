"""Chains on the page: run from the library over what is selected or typed, followed, stopped, and gone on with."""

from __future__ import annotations

from playwright.sync_api import Locator, expect

from e2e.conftest import Keep, Serve, Visit, slowed
from e2e.desk import PATIENCE, Desk
from e2e.test_axe import found
from e2e.test_library import Shelf
from studio.requests import ImageRequest
from studio.service import Studio

HOSTILE = '<img src=x onerror="window.harmed=1">'


def made(studio: Studio, *prompts: str) -> None:
    for prompt in prompts:
        studio.submit(ImageRequest(prompt=prompt, seed=7, steps=2, width=64, height=64)).result()


def choose(shelf: Shelf) -> Locator:
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    shelf.press("Run a chain")
    part = shelf.page.locator(".a-lib-chains")
    expect(part.get_by_role("radio").first).to_be_visible()
    return part


def test_a_chain_runs_over_what_is_selected_and_its_results_are_a_collection(
    visit: Visit, serve: Serve, keep: Keep
) -> None:
    studio, url = serve(demo=True)
    made(studio, "a fox", HOSTILE)
    shelf = Shelf(visit(url))
    part = choose(shelf)
    expect(part.get_by_role("radio", name="From an idea")).to_be_disabled()  # that one takes lines of text
    part.get_by_role("radio", name="Postcards").check()
    part.get_by_label("Style", exact=True).fill("ink")
    assert found(shelf.desk) == []
    keep(shelf.desk, "chains")
    part.get_by_role("button", name="Run", exact=True).click()
    expect(part.get_by_role("status")).to_contain_text("Results in the collection “Postcards”: 6", timeout=PATIENCE)
    expect(part.get_by_role("listitem")).to_have_count(2)
    keep(shelf.desk, "chains-done")
    assert shelf.page.evaluate("window.harmed") is None
    painted = studio.library.recent("image", 2)
    assert all(one.recipe["parameters"]["prompt"].endswith(", ink") for one in painted)
    assert all(one.recipe["origin"]["task"] == "caption" for one in painted)

    part.get_by_role("button", name="Run", exact=True).click()
    expect(part.get_by_role("status")).to_contain_text("Steps that were done before: 6", timeout=PATIENCE)
    part.get_by_role("button", name="Show them").click()
    expect(shelf.tiles()).to_have_count(6)


def test_lines_of_text_are_run_and_stop_keeps_what_there_is(visit: Visit, serve: Serve, keep: Keep) -> None:
    studio, url = serve(demo=True)
    slowed(studio, 0.2)
    shelf = Shelf(visit(url))
    shelf.press("Chains")
    part = shelf.page.locator(".a-lib-chains")
    expect(part.get_by_role("radio", name="Postcards")).to_be_disabled()
    part.get_by_role("radio", name="From an idea").check()
    part.get_by_role("button", name="Run", exact=True).click()
    expect(part.get_by_role("alert")).to_contain_text("nothing to be run on")
    part.get_by_label("Lines of text").fill("a fox\n\na hare\n")
    part.get_by_role("button", name="Run", exact=True).click()
    expect(part.get_by_role("button", name="Stop")).to_be_focused()
    expect(part.get_by_role("progressbar")).not_to_have_attribute("aria-valuenow", "0", timeout=PATIENCE)
    keep(shelf.desk, "chains-running")
    shelf.page.reload()  # it goes on without its page, and the page finds it again
    shelf = Shelf(Desk(shelf.page))
    shelf.press("Chains")
    part.get_by_role("button", name="Stop").click()
    expect(part.get_by_role("status")).to_contain_text("Stopped.", timeout=PATIENCE)
    assert not any(job.kind == "running" for job in studio.jobs())


def test_a_broken_file_is_named_and_strangers_have_no_chains(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    broken = 'format = "atelier-chain/1"\n[[step]]\ntask = "image"\npromt = "{input}"\n'
    (studio.home.chains / "mine.toml").write_text(broken)
    shelf = Shelf(visit(url))
    shelf.press("Chains")
    part = shelf.page.locator(".a-lib-chains")
    expect(part.get_by_role("radio", name="mine")).to_be_disabled()
    expect(part).to_contain_text("mine.toml, step image: there is no field promt. Perhaps you meant prompt.")


def test_a_selection_of_pictures_goes_to_the_caption_tabs_list_of_many(visit: Visit, serve: Serve) -> None:
    studio, url = serve(demo=True)
    made(studio, "a fox", "a hare")
    shelf = Shelf(visit(url))
    for box in shelf.box.locator(".a-lib-check").all():
        box.check()
    shelf.press("Caption them")
    desk = shelf.desk
    desk.tab = "caption"
    expect(desk.find("files").locator(".file-preview tr, .file")).to_have_count(2)
