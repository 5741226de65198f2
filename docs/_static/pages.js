// What a reader without a mouse, or without eyes on the page, needs beside what the theme gives.
addEventListener("DOMContentLoaded", () => {
  const named = { ".sidebar-drawer": "Pages", ".toc-drawer": "This page" };
  for (const [selector, name] of Object.entries(named)) document.querySelector(selector)?.setAttribute("aria-label", name);
  for (const pre of document.querySelectorAll("pre")) if (pre.scrollWidth > pre.clientWidth) pre.tabIndex = 0;
});
