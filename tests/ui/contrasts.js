() => {
  // The contrast of each text with what is painted behind it (WCAG 2.2, 1.4.3), and of bars and marks with the ground
  // and each other (1.4.11), least first: [{text, ratio, least}].
  const parse = (colour) => (colour.match(/[\d.]+/g) || [0, 0, 0, 0]).map(Number);
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = new Map();
  const add = (text, over, under, least) => {
    const [a, b] = [light(over), light(under)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    const kind = `${text.split(":")[0]} ${ratio}`;
    if (!found.has(kind)) found.set(kind, { text, ratio, least });
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || ["SCRIPT", "STYLE", "title", "desc"].includes(element.tagName) || !element.checkVisibility()) continue;
    const style = getComputedStyle(element), isDrawn = element.namespaceURI.endsWith("svg");
    add(`${element.tagName}: ${text.slice(0, 40)}`, parse(isDrawn ? style.fill : style.color), ground(element), 4.5);
  }
  for (const bar of document.querySelectorAll("svg .bar")) {
    const fill = parse(getComputedStyle(bar).fill), mark = bar.closest("svg").querySelector(".mark");
    add("bar on its ground", fill, ground(bar), 3);
    if (mark) add("mark on a bar", parse(getComputedStyle(mark).stroke), fill, 3);
  }
  return Array.from(found.values()).sort((x, y) => x.ratio - y.ratio);
}
