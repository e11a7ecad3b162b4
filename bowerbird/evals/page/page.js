// Light or dark by hand, and tables that sort. The page is whole without this.
"use strict";
(() => {
  const root = document.documentElement, button = document.getElementById("theme");
  const dark = () => root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const say = () => { button.textContent = dark() ? "Light" : "Dark"; };
  button.hidden = false;
  button.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; say(); });
  say();
  for (const table of document.querySelectorAll("table.sorts")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => {
      const name = head.textContent, press = document.createElement("button");
      press.type = "button"; press.textContent = name; press.title = `Sort by ${name}`;
      head.replaceChildren(press);
      press.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") !== "descending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const value = (row) => row.cells[column]?.dataset.value ?? row.cells[column]?.textContent ?? "";
        const rows = [...table.tBodies[0].rows].sort((a, b) => {
          const x = value(a), y = value(b), order = x === "" ? 1 : y === "" ? -1 : isNaN(x) || isNaN(y) ? y.localeCompare(x) : y - x;
          return x === "" || y === "" || down ? order : -order;
        });
        table.tBodies[0].append(...rows);
      });
    });
  }
  // A link to an item opens it.
  const open = () => { const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.tagName === "DETAILS") target.open = true; };
  addEventListener("hashchange", open); open();
})();
