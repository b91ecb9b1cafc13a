// Asks for the list of events again while it is looked at, and says how many are new. Everything else
// on these pages is links and forms.
'use strict';
(() => {
  const list = document.querySelector('[data-live]');
  const button = document.getElementById('live');
  const news = document.getElementById('news');
  if (!list || !button || !news) return;

  const EVERY = 2000;
  let tag = null;
  let live = true;
  let failures = 0;

  const newest = () => Number(list.querySelector('[data-seq]')?.dataset.seq ?? 0);
  // What somebody reads or points at must not move away.
  const inUse = () => list.contains(document.activeElement) || !!String(document.getSelection());

  async function ask() {
    const answer = await fetch(list.dataset.live, { headers: tag ? { 'If-None-Match': tag } : {}, cache: 'no-store' });
    if (answer.status === 401) { location.reload(); return; }
    if (answer.status === 304) return;
    if (!answer.ok) throw new Error(String(answer.status));
    const html = await answer.text();
    tag = answer.headers.get('ETag');
    const before = newest();
    // The server escaped it: it is the same text as the list in the page.
    list.innerHTML = html;
    const fresh = [...list.querySelectorAll('[data-seq]')].filter((e) => Number(e.dataset.seq) > before);
    if (before && fresh.length) {
      fresh.forEach((e) => e.classList.add('fresh'));
      news.textContent = fresh.length === 1 ? '1 new event' : `${fresh.length} new events`;
    }
  }

  async function turn() {
    if (live && !document.hidden && !inUse()) {
      try { await ask(); failures = 0; } catch { failures += 1; news.textContent = 'The proxy does not answer.'; }
    }
    setTimeout(turn, EVERY * Math.min(1 + failures, 10));
  }

  button.hidden = false;
  button.addEventListener('click', () => {
    live = !live;
    button.setAttribute('aria-pressed', String(live));
    news.textContent = live ? '' : 'Paused';
  });
  setTimeout(turn, EVERY);
})();
