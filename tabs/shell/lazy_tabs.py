"""Tabs whose parts reach the browser when they are first opened.

Gradio hands the whole page to the browser at once, which builds every field of every tab before the first can be used:
a second of its processor. Here the page begins with one tab. A tab opened later is told to the browser as Gradio tells
it what `gr.render` makes, except that nothing is made: its fields and handlers have been on the server all along, under
the same numbers. What a program sees of the page (`/config`, `/info`) is complete; what is there for programs alone
(tabs.shell.endpoints) never reaches the browser.
"""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import gradio as gr
from gradio.block_function import BlockFunction
from gradio.components.api_component import Api
from gradio.processing_utils import add_root_url

from tabs.shared.events import quick

_UNUSED = ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs")
"""What Gradio tells of a component for programs alone."""


class LazyBlocks(gr.Blocks):
    """Blocks of which a browser gets the tabs given to `defer` one at a time."""

    def __init__(self, **options: Any) -> None:
        self._deferred: dict[int, gr.Tab] = {}  # by the number of the handler that brings its parts
        self._parts: dict[int, dict[str, Any]] = {}
        super().__init__(**options)

    def defer(self, tab: gr.Tab, opener: gr.Button) -> None:
        """Leave a tab empty until `opener` is pressed, which assets/page/tabs.js does when it is first opened."""
        opened = opener.click(lambda: None, None, None, **quick())
        opened.then(None, None, None, js=f"() => atelier.brought({tab.id!r})", **quick())
        self._deferred[opened["id"]] = tab

    def get_config_file(self) -> Any:
        """As Gradio's, with the page that a browser gets cut down to what is not deferred."""
        config: dict[str, Any] = super().get_config_file()  # pyright: ignore
        self._leave_out(config["page"][""])
        if not self._deferred:
            return config
        owners = {id: tab._id for tab in self._deferred.values() for id in (part._id for part in below(tab))}
        of_fn = {id: self._owner(fn, owners) for id, fn in self.fns.items()}
        root = config["page"][""]
        root["layout"] = copy.deepcopy(root["layout"])  # it shares its branches with that of the whole page
        root["components"] = [id for id in root["components"] if id not in owners]
        root["dependencies"] = [id for id in root["dependencies"] if of_fn[id] is None]
        events: defaultdict[int, list[str]] = defaultdict(list)
        for one in config["dependencies"]:
            for target, event in one["targets"]:
                events[target].append(event)
        inputs = {id for one in config["dependencies"] for id in one["inputs"]}
        outputs = {id for one in config["dependencies"] for id in one["outputs"]}
        layouts = {id: _take(root["layout"], id) for id in set(owners.values())}
        self._parts = {
            tab._id: {
                "render_id": tab._id,
                "layout": layouts[tab._id],
                "components": [
                    _settled(one, events[one["id"]], inputs, outputs)
                    for one in config["components"]
                    if owners.get(one["id"]) == tab._id or one["id"] == tab._id
                ],
                "dependencies": [one for one in config["dependencies"] if of_fn[one["id"]] == tab._id],
            }
            for tab in self._deferred.values()
        }
        return config

    def get_api_info(self, all_endpoints: bool = False, page: str | None = None) -> Any:
        """As Gradio's; the description of one page, which goes to the browser, names nothing that is for programs."""
        if page is not None:
            return {"named_endpoints": {}, "unnamed_endpoints": {}}
        return super().get_api_info(all_endpoints)

    async def process_api(self, block_fn: BlockFunction | int, *args: Any, **named: Any) -> dict[str, Any]:
        """As Gradio's; the handler of a deferred tab brings the tab's parts along."""
        output = await super().process_api(block_fn, *args, **named)
        tab = self._deferred.get(block_fn if isinstance(block_fn, int) else block_fn._id)
        if tab is not None:
            parts = copy.deepcopy(self._parts[tab._id])
            root = named.get("root_path")
            output["render_config"] = parts if root is None else add_root_url(parts, root, None)
        return output

    def _leave_out(self, root: dict[str, Any]) -> None:
        """Cut what is for programs alone (tabs.shell.endpoints) out of the page."""
        apart = {id for id, block in self.blocks.items() if isinstance(block, Api)}
        root["layout"] = {**root["layout"]}
        root["layout"]["children"] = [part for part in root["layout"]["children"] if part["id"] not in apart]
        root["components"] = [id for id in root["components"] if id not in apart]
        root["dependencies"] = [
            id for id in root["dependencies"] if not any(part._id in apart for part in self.fns[id].outputs)
        ]

    def _owner(self, fn: BlockFunction, owners: dict[int, int]) -> int | None:
        """The deferred tab with which a handler comes: the one in which it is triggered, or whose fields it concerns.

        Raises:
            ValueError: it is triggered elsewhere and changes deferred tabs; who waits for it would wait in vain.
        """
        first = fn
        while first.trigger_after is not None:
            first = self.fns[first.trigger_after]
        places = {owners.get(id) for id, _ in first.targets if id is not None}
        if places - {None}:
            (place,) = places
            return place
        touched = {owners.get(block._id) for block in (*fn.inputs, *fn.outputs)}
        if touched <= {None}:
            return None
        if len(touched) > 1 or not all(event == "load" for _, event in first.targets):
            raise ValueError(
                f"{fn.name} changes a tab that may not be there yet. Let that tab's own button trigger it."
            )
        return touched.pop()


def below(block: Any) -> Iterator[Any]:
    """All parts inside a part of the page."""
    for child in getattr(block, "children", ()):
        yield child
        yield from below(child)


def _take(layout: dict[str, Any], id: int) -> dict[str, Any] | None:
    """Cut what is below a block out of a layout. Returns the part that was cut out, under the same number."""
    for child in layout.get("children", ()):
        if child["id"] == id:
            found = {"id": id, "children": child["children"]}
            child["children"] = []
            return found
        if (found := _take(child, id)) is not None:
            return found
    return None


def _settled(component: dict[str, Any], events: list[str], inputs: set[int], outputs: set[int]) -> dict[str, Any]:
    """A component as the browser needs it, with what it otherwise works out from the handlers of the whole page."""
    id, props = component["id"], dict(component["props"])
    value = props.get("value")
    props["attached_events"] = events
    if not isinstance(props.get("interactive"), bool):
        props["interactive"] = id in inputs or (id not in outputs and (not value and value is not False))
    return {key: value for key, value in component.items() if key not in _UNUSED} | {"props": props}
