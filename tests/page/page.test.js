// The audit page as a browser has it. Run by run.py; prints `ok NAME` or `FAIL NAME: why`, and `end`.
'use strict';
const assert = require('node:assert/strict');
const { execFileSync } = require('node:child_process');
const { chromium } = require('playwright-core');

const { PAGE, TOKEN, CHROMIUM, PROXY_PORT, SHOTS } = process.env;
const PATHS = ['/', '/events', '/refused', '/gaps', '/rules', '/rules?database=care&role=quality', '/changes', '/log', '/report'];
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
// Values of the database and literals of statements: nothing shows them.
const CANARIES = ['ada.lindqvist', 'lindqvist', 'hearing aid', '1979-04-12', '+46 70', 'canary-literal'];

let browser;

async function visit(options, body) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  page.on('dialog', (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('console', (message) => { if (message.type() === 'error') wrong.push(`console: ${message.text()}`); });
  try { await body(page, context, wrong); } finally { await context.close(); }
}

async function logIn(page, path = '/') {
  await page.goto(PAGE + path);
  await page.fill('#token', TOKEN);
  await Promise.all([page.waitForURL(PAGE + path), page.click('button')]);
}

async function stories(page) {
  await page.goto(`${PAGE}/events`);
  const links = await page.locator('.entries a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
  return links.filter((link) => link).slice(0, 40);
}

function sql(role, text) {
  return execFileSync('psql', ['-X', '-q', '-h', '127.0.0.1', '-p', PROXY_PORT, '-U', role, '-d', 'care', '-c', text],
    { stdio: ['ignore', 'pipe', 'pipe'] });
}

const tests = {
  nobody_without_the_token: () => visit({}, async (page) => {
    await page.goto(`${PAGE}/events?role=quality`);
    assert.match(page.url(), /\/login\?next=/);
    await page.fill('#token', 'wrong');
    await page.click('button');
    await page.waitForSelector('[role=alert]');
    assert.equal((await page.context().cookies()).length, 0);
    for (const path of [...PATHS, '/events/list']) {
      const answer = await fetch(PAGE + path, { redirect: 'manual' });
      assert.ok([303, 401].includes(answer.status), `${path}: ${answer.status}`);
    }
  }),

  the_token_leads_where_one_was_going: () => visit({}, async (page, context) => {
    await logIn(page, '/events?role=quality');
    const [cookie] = await context.cookies();
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict');
    const bearer = await fetch(`${PAGE}/events`, { headers: { Authorization: `Bearer ${TOKEN}` } });
    assert.equal(bearer.status, 200);
    await Promise.all([page.waitForURL(/\/login$/), page.click('.leave button')]);
    await page.goto(`${PAGE}/events`);
    assert.match(page.url(), /\/login/);
  }),

  forms_of_others_are_refused: () => visit({}, async (page, context) => {
    await logIn(page);
    const cookie = (await context.cookies()).map((c) => `${c.name}=${c.value}`).join('; ');
    const post = (path, headers, body) => fetch(PAGE + path, { method: 'POST', redirect: 'manual', body,
      headers: { 'Content-Type': 'application/x-www-form-urlencoded', ...headers } });
    assert.equal((await post('/logout', { cookie }, 'csrf=guess')).status, 403);
    assert.equal((await post('/logout', { cookie, origin: 'https://elsewhere.example' }, '')).status, 403);
    assert.equal((await post('/login', { origin: 'https://elsewhere.example' }, `token=${TOKEN}`)).status, 403);
    const away = await post('/login', {}, `token=${TOKEN}&next=//elsewhere.example`);
    assert.equal(away.headers.get('location'), '/');
    await page.reload();
    assert.equal(page.url(), `${PAGE}/`);
  }),

  only_own_scripts_and_styles: () => visit({}, async (page) => {
    await logIn(page);
    for (const path of [...PATHS, '/nothing', '/login']) {
      const answer = await page.goto(PAGE + path);
      const policy = answer.headers()['content-security-policy'];
      assert.match(policy, /default-src 'none'/);
      assert.doesNotMatch(policy, /unsafe/);
      const inline = await page.locator('script:not([src]), style, [style], [onclick], [onerror], [onload]').count();
      assert.equal(inline, 0, path);
    }
  }),

  hostile_words_stay_words: () => visit({}, async (page, context, wrong) => {
    await logIn(page);
    const paths = [...PATHS, ...await stories(page), '/events?actor=%3Cscript%3E&purpose="><img src=x onerror=alert(1)>'];
    for (const path of paths) {
      await page.goto(PAGE + path);
      assert.match(await page.title(), / – pgpurpose$/, path);
      assert.equal(await page.locator('img').count(), 0, path);
    }
    await page.goto(`${PAGE}/events`);
    assert.match(await page.locator('#main').innerText(), /<script>document\.title/);
    assert.deepEqual(wrong, []);
  }),

  no_value_of_the_database_anywhere: () => visit({}, async (page) => {
    await logIn(page);
    for (const path of [...PATHS, ...await stories(page), '/metrics']) {
      const text = (await (await page.request.get(PAGE + path)).text()).toLowerCase();
      for (const canary of CANARIES) assert.ok(!text.includes(canary), `${path} has ${canary}`);
    }
  }),

  who_read_health_data_and_for_what: () => visit({}, async (page) => {
    await logIn(page);
    await page.click('.periods >> text=week');
    await page.click('text=user.health_and_medical');
    assert.match(page.url(), /since=7d.*category=user\.health_and_medical.*form=released/);
    const text = await page.locator('.facets').innerText();
    assert.match(text, /care\.support/);
    assert.match(text, /support_app/);
    assert.match(text, /agent-17/);
    assert.doesNotMatch(text, /marketing/);
  }),

  what_was_refused_to_whom_and_why: () => visit({}, async (page) => {
    await logIn(page, '/refused');
    const text = await page.locator('#main').innerText();
    assert.match(text, /a rule refuses this column for the purpose/i);
    assert.match(text, /quality \(canary-actor\) for care\.quality: care\.customers\.device_id/);
    assert.match(text, /customer-care\.yaml:\d+ - \{purposes: \[care\.quality\], columns: \[care\.customers\.device_id\], as: refuse\}/);
    await page.click('text=The line that would let it pass');
    assert.match(await page.locator('#main').innerText(), /support_app: \{purposes: \[care, fraud, marketing\]\}/);
  }),

  which_columns_have_no_rule: () => visit({}, async (page) => {
    await logIn(page, '/gaps');
    const text = await page.locator('#main').innerText();
    assert.match(text, /care\.customers\.nickname/);
    assert.match(text, /care\.customers:\s+columns:\s+nickname: \w+/);
  }),

  what_changed_in_the_rules: () => visit({}, async (page) => {
    await logIn(page, '/changes?since=2020-01-01');
    assert.equal(await page.locator('h1').innerText(), 'Changes of the rules');
    const text = await page.locator('#main').innerText();
    assert.match(text, /revision 2026-11-24 → 2026-11-25/);
    assert.match(text, /marketing[\s\S]*care\.customers\.email/);
    // One group for each database whose rules changed.
    await page.locator('.group', { hasText: 'care.customers.email' }).locator('h2 a').first().click();
    await page.waitForURL(/\/events\/[0-9a-f-]{36}/);
    assert.match(await page.locator('#main').innerText(), /care\.customers\.email/);
  }),

  whether_the_log_is_whole: () => visit({}, async (page) => {
    await logIn(page, '/log');
    assert.match(await page.locator('h1').innerText(), /The log is whole/);
    const text = await page.locator('#main').innerText();
    assert.match(text, /\d+:[0-9a-f]{64}/);
    assert.match(text, /\d+ signed checkpoints, each with a signature that holds/);
    await page.locator('section', { hasText: 'Signed checkpoints' }).locator('a').first().click();
    await page.waitForURL(/\/events\/[0-9a-f-]{36}/);
  }),

  one_event_s_whole_story: () => visit({}, async (page) => {
    await logIn(page, '/events?code=column_refused&since=all');
    await page.locator('.entries a').first().click();
    await page.waitForURL(/\/events\/[0-9a-f-]{36}/);
    const text = await page.locator('#main').innerText();
    for (const part of [/quality/, /canary-actor/, /SELECT device_id FROM care\.customers/, /customer-care\.yaml:\d+/,
      /a rule refuses this column/i, /Hash/]) assert.match(text, part);
  }),

  break_glass_stands_out: () => visit({}, async (page) => {
    await logIn(page);
    assert.match(await page.locator('.alarm-box').innerText(), /emergency[\s\S]*INC-77/);
  }),

  filters_are_links: () => visit({}, async (page) => {
    await logIn(page, '/events');
    await page.locator('.facets a', { hasText: 'marketing_app' }).click();
    await page.waitForURL(/role=marketing_app/);
    const roles = await page.locator('.entries .who strong').allInnerTexts();
    assert.ok(roles.length > 0 && roles.every((role) => role === 'marketing_app'), roles.join());
    await page.locator('.chips a').click();
    await page.waitForURL((url) => !url.search.includes('role='));
  }),

  new_events_come_by_themselves: () => visit({}, async (page) => {
    await logIn(page, '/events');
    const before = Number(await page.locator('[data-seq]').first().getAttribute('data-seq'));
    sql('support_app', 'SELECT region FROM care.customers LIMIT 1');
    await page.waitForFunction((seq) => Number(document.querySelector('[data-seq]').dataset.seq) > seq, before, { timeout: 10000 });
    await page.waitForFunction(() => /new event/.test(document.getElementById('news').textContent));
    assert.equal(await page.getAttribute('#news', 'aria-live'), 'polite');
  }),

  with_the_keyboard_alone: () => visit({}, async (page) => {
    await logIn(page);
    await page.goto(`${PAGE}/events`);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Tab');
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    assert.notEqual(outline, 'none');
  }),

  for_screen_readers: () => visit({}, async (page) => {
    await logIn(page);
    for (const path of [...PATHS, (await stories(page))[0]]) {
      await page.goto(PAGE + path);
      const found = await page.evaluate(() => ({
        mains: document.querySelectorAll('main').length,
        titles: document.querySelectorAll('h1').length,
        bareNavs: document.querySelectorAll('nav:not([aria-label])').length,
        bareInputs: [...document.querySelectorAll('input:not([type=hidden])')].filter((i) => !i.labels.length).length,
        bareRegions: document.querySelectorAll('[tabindex="0"]:not([role][aria-label])').length,
        bareLinks: [...document.querySelectorAll('a')].filter((a) => !a.closest('svg') && !a.textContent.trim() && !a.ariaLabel).length,
        twice: [...document.querySelectorAll('[id]')].map((e) => e.id).filter((id, n, all) => all.indexOf(id) !== n),
        language: document.documentElement.lang,
      }));
      assert.deepEqual(found, { mains: 1, titles: 1, bareNavs: 0, bareInputs: 0, bareRegions: 0, bareLinks: 0, twice: [], language: 'en' }, path);
    }
  }),

  on_a_narrow_screen: () => visit({ viewport: { width: 390, height: 844 } }, async (page) => {
    await logIn(page);
    for (const path of [...PATHS, ...(await stories(page)).slice(0, 5)]) {
      await page.goto(PAGE + path);
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= 390, `${path} is ${width} px wide`);
    }
  }),

  dark_where_the_screen_is: () => visit({ colorScheme: 'dark' }, async (page) => {
    await logIn(page);
    const [paper, ink] = await page.evaluate(() => [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color]);
    const sum = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((a, b) => a + Number(b), 0);
    assert.ok(sum(paper) < 150 && sum(ink) > 500, `${paper} ${ink}`);
  }),

  contrast_of_text: () => visit({}, async (page) => {
    await logIn(page);
    for (const scheme of ['light', 'dark']) {
      await page.emulateMedia({ colorScheme: scheme });
      const low = await page.evaluate(() => {
        const rgb = (c) => c.match(/[\d.]+/g).map(Number);
        const light = (c) => rgb(c).slice(0, 3).map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
          .reduce((sum, v, n) => sum + v * [0.2126, 0.7152, 0.0722][n], 0);
        const ground = (e) => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if ((rgb(c)[3] ?? 1) === 1) return c; } return 'rgb(255,255,255)'; };
        const bad = [];
        for (const e of document.querySelectorAll('#main *, .top *')) {
          if (![...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()) || e.closest('svg') || !e.offsetParent) continue;
          const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
          if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(`${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 20)}`);
        }
        return bad;
      });
      assert.deepEqual(low, [], scheme);
    }
  }),

  health_and_metrics: async () => {
    assert.equal((await fetch(`${PAGE}/healthz`)).status, 200);
    const ready = await fetch(`${PAGE}/readyz`);
    assert.equal(ready.status, 200, await ready.text());
    const answer = await fetch(`${PAGE}/metrics`);
    assert.match(answer.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
    const text = await answer.text();
    for (const line of text.trimEnd().split('\n')) {
      assert.match(line, /^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+="([^"\\]|\\.)*",?)*\})? -?[\d.]+)$/, line);
    }
    for (const part of [/statements_total\{purpose="care\.support",outcome="allow"\} \d/, /refusals_total\{code="column_refused"\} 1/,
      /rules_info\{sha256="[0-9a-f]{64}",revision="[^"]+",database="care"\} 1/, /break_glass_total 1/, /audit_lag_records 0/,
      /plan_cache_lookups_total\{result="hit"\}/, /duration_seconds_bucket\{le="\+Inf"\} \d/]) assert.match(text, part);
    assert.doesNotMatch(text, /<script>/);
  },
};

async function pictures() {
  for (const [name, options] of [['light', {}], ['dark', { colorScheme: 'dark' }], ['narrow', { viewport: { width: 390, height: 844 } }]]) {
    await visit(options, async (page) => {
      await page.goto(`${PAGE}/login`);
      await page.screenshot({ path: `${SHOTS}/login-${name}.png` });
      await logIn(page);
      const refused = `${PAGE}/events?code=column_refused`;
      for (const path of PATHS) {
        await page.goto(PAGE + path);
        await page.screenshot({ path: `${SHOTS}/${path.replace(/\W+/g, '_') || 'overview'}-${name}.png`, fullPage: true });
      }
      await page.goto(refused);
      await page.locator('.entries a').first().click();
      await page.waitForURL(/\/events\/[0-9a-f-]{36}/);
      await page.screenshot({ path: `${SHOTS}/story-${name}.png`, fullPage: true });
    });
  }
}

(async () => {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
  try {
    if (SHOTS) await pictures();
    for (const [name, test] of Object.entries(tests)) {
      try { await test(); console.log(`ok ${name}`); } catch (error) {
        console.log(`FAIL ${name}: ${String(error.message ?? error).replace(/\s+/g, ' ').slice(0, 500)}`);
      }
    }
  } finally { await browser.close(); }
  console.log('end');
})();
