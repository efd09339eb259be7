// Fetches the page again now and then and takes over what has changed in it. Without this the page is as it was.
(() => {
  "use strict";
  const EVERY_MS = 5000;
  const asOf = document.getElementById("as-of");

  function take(fresh) {
    const had = document.activeElement;
    for (const old of document.querySelectorAll("[data-live]")) {
      const now = fresh.getElementById(old.id);
      if (!now || now.isEqualNode(old)) continue;
      // Whoever types or selects here is not disturbed.
      if (old.contains(had) && had.matches("input, select")) continue;
      const selected = getSelection();
      if (!selected.isCollapsed && selected.containsNode(old, true)) continue;
      const href = old.contains(had) ? had.getAttribute("href") || had.id : null;
      old.replaceWith(now);
      if (href) {
        const again = [...now.querySelectorAll("a, button, summary")];
        const same = again.find((it) => (it.getAttribute("href") || it.id) === href);
        if (same) same.focus({ preventScroll: true });
      }
    }
  }

  async function refresh() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) throw new Error("HTTP " + answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      take(fresh);
      asOf.replaceChildren(...fresh.getElementById("as-of").childNodes);
      asOf.classList.remove("old");
    } catch (error) {
      if (!asOf.classList.contains("old")) asOf.append(" · not reachable since then");
      asOf.classList.add("old");
    }
  }

  setInterval(refresh, EVERY_MS);
  document.addEventListener("visibilitychange", refresh);
})();
