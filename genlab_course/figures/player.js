// A film with a button that stops it and begins it anew. For who asks the system for less motion it
// rests on its last frame until the button is pressed.
function render({ model, el }) {
  const address = (name, type) => URL.createObjectURL(new Blob([model.get(name)], { type }));
  const rest = address("rest", "image/png"), make = (tag, more) => Object.assign(document.createElement(tag), more);
  const picture = make("img", { alt: model.get("alt"), width: model.get("width") });
  const button = make("button", { type: "button" }), root = make("div", { className: "genlab-film" });
  root.style.cssText = `max-width: ${model.get("width")}px`;
  picture.style.cssText = "display: block; max-width: 100%; height: auto";
  button.style.cssText = "display: block; width: 36px; height: 28px; margin: 4px 0 0 auto; padding: 0; font: 12px sans-serif; "
    + "color: inherit; background: transparent; border: 1px solid #8888; border-radius: 5px; cursor: pointer";
  let film = null;
  const show = (plays) => {
    if (film) URL.revokeObjectURL(film);
    film = plays ? address("film", "image/gif") : null; // a new address begins at the first frame
    picture.src = film ?? rest;
    Object.assign(button, { textContent: plays ? "❚❚" : "▶", ariaLabel: plays ? "stop the film" : "play the film" });
  };
  button.addEventListener("click", () => show(!film));
  show(!matchMedia("(prefers-reduced-motion: reduce)").matches);
  root.append(picture, button);
  el.append(root);
  return () => [film, rest].filter(Boolean).forEach((url) => URL.revokeObjectURL(url));
}
export default { render };
