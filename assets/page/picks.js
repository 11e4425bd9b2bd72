// Pictures of a result that are ticked: Gradio asks for their places when one of the buttons below them is pressed.
(() => {
  const atelier = (window.atelier = window.atelier || {});
  atelier.picks = () => JSON.stringify([...document.querySelectorAll("#image-picks-row input:checked")].map((one) => Number(one.dataset.pick)));
})();
