"""The search that is put into Gradio's script finds what Gradio's own finds."""

from __future__ import annotations

import random
from typing import Any

from playwright.sync_api import Browser

from tabs.door.mending import CHANGES

SAME = """([before, after, tree, ids]) => {
    const finds = (source) => new Function("tree", "ids", source + "; return ids.map((id) => Z(tree, id))");
    const [old, now] = [finds(before)(tree, ids), finds(after)(tree, ids)];
    if (!ids.every((id, i) => old[i] === now[i])) throw Error("not the same");
    return old.filter(Boolean).length;
}"""
GROWN = """([after, tree]) => new Function("tree", after + `;
    const none = Z(tree, 999);
    tree.children.push({id: 999, children: [{id: 1000}]});
    const added = Z(tree, 1000);
    tree.children = [{id: 999, children: []}];
    Zs.delete(tree);
    return [none, added?.id, Z(tree, 1000)];`)(tree)"""


def tree(draw: random.Random, ids: list[int], depth: int = 0) -> dict[str, Any]:
    node: dict[str, Any] = {"id": ids.pop()}
    if depth < 5 and draw.random() < 0.8:  # some have no list at all
        node["children"] = [tree(draw, ids, depth + 1) for _ in range(draw.randint(0, 5)) if ids]
    return node


def test_the_same_part_is_found(browser: Browser) -> None:
    old, new = CHANGES[0]
    page = browser.new_page()
    found = 0
    for seed in range(30):
        draw = random.Random(seed)
        made = tree(draw, draw.sample(range(200), 200))
        found += page.evaluate(SAME, [old, new, made, draw.choices(range(-5, 210), k=400)])
    assert 1_000 < found < 30 * 400  # some are there and some are not
    page.close()


def test_what_is_added_is_found_and_what_was_replaced_is_forgotten(browser: Browser) -> None:
    page = browser.new_page()
    assert page.evaluate(GROWN, [CHANGES[0][1], {"id": 1, "children": [{"id": 2}]}]) == [None, 1000, None]
    page.close()
