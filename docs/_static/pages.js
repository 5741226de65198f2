// What a reader without a mouse, or without eyes on the page, needs beside what the theme gives.
addEventListener("DOMContentLoaded", () => {
  const named = { ".sidebar-drawer": "Pages", ".toc-drawer": "This page" };
  for (const [selector, name] of Object.entries(named)) document.querySelector(selector)?.setAttribute("aria-label", name);
  for (const pre of document.querySelectorAll("pre")) if (pre.scrollWidth > pre.clientWidth) pre.tabIndex = 0;
});

// A page that is opened as a file may not read other pages: the search then shows titles alone.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;
