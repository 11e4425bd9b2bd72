// Pictures of a result that are ticked: Gradio asks for their places when one of the buttons below them is pressed.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  const row = "#image-picks-row";
  atelier.picks = () => JSON.stringify([...document.querySelectorAll(`${row} input:checked`)].map((one) => Number(one.dataset.pick)));
  // New pictures are drawn into the places of the old ones, whose ticks would stay.
  atelier.watch(() => {
    const drawn = document.querySelector(`${row} [data-drawn]`);
    if (!drawn || drawn.dataset.drawn === drawn.known) return;
    drawn.known = drawn.dataset.drawn;
    for (const box of drawn.querySelectorAll("input")) box.checked = false;
  });
})();
