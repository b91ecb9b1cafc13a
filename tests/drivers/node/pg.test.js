// node-postgres through the proxy. Run by ../run.py; prints `ok NAME` or `FAIL NAME: why`, and `end`.
'use strict';
const assert = require('node:assert/strict');
const { Client, Pool } = require('pg');

const EMAIL = 'ada.lindqvist@example.net';
const MASKED = 'a***@example.net';
const QUERY = 'SELECT email FROM care.customers WHERE customer_id = $1';
const where = { host: '127.0.0.1', port: Number(process.env.PROXY_PORT), database: 'care', ssl: false };

async function connected(user, options, body) {
  const client = new Client({ ...where, user, options });
  await client.connect();
  try { await body(client); } finally { await client.end(); }
}

const email = async (client, sql = QUERY, name) => (await client.query({ text: sql, values: [1], name })).rows[0].email;

async function refused(code, promise) {
  const error = await promise.then(() => assert.fail(`not refused, expected ${code}`), (e) => e);
  assert.equal(error.code, '42501', String(error));
  assert.equal(error.constraint, code);
  assert.match(error.message, new RegExp(`\\(${code}\\)$`));
  assert.match(error.hint ?? '', /privacy@example\.com/);
}

const tests = {
  two_purposes: () => connected('marketing_app', '-c pgpurpose.purpose=marketing', async (c) => {
    assert.equal(await email(c), MASKED);
    assert.equal(await email(c, `${QUERY} /*purpose='marketing.email'*/`), EMAIL);
    await c.query("SET pgpurpose.purpose = 'marketing.email'");
    assert.equal(await email(c), EMAIL);
  }),

  named_prepared_statement_outlives_a_change_of_purpose: () => connected('marketing_app', undefined, async (c) => {
    await c.query("SET pgpurpose.purpose = 'marketing'");
    assert.equal(await email(c, QUERY, 'by-id'), MASKED);
    assert.equal(await email(c, QUERY, 'by-id'), MASKED);
    await c.query("SET pgpurpose.purpose = 'marketing.email'");
    assert.equal(await email(c, QUERY, 'by-id'), EMAIL);
  }),

  types: () => connected('quality', '-c pgpurpose.purpose=care.quality', async (c) => {
    const { rows, fields } = await c.query("SELECT customer_id, to_char(birth_date, 'YYYY-MM-DD') AS born, health_note FROM care.customers WHERE customer_id = $1", [1]);
    assert.deepEqual(rows, [{ customer_id: 1, born: '1979-01-01', health_note: null }]);
    assert.deepEqual(fields.map((f) => f.name), ['customer_id', 'born', 'health_note']);
  }),

  refusal_and_the_connection_lives_on: () => connected('support_app', undefined, async (c) => {
    await refused('purpose_not_granted', c.query({ text: `${QUERY} /*purpose='marketing'*/`, values: [1] }));
    assert.equal(await email(c), EMAIL);
    await refused('purpose_unknown', c.query("SELECT email FROM care.customers /*purpose='nothing'*/"));
    assert.equal(await email(c), EMAIL);
  }),

  transactions: () => connected('support_app', undefined, async (c) => {
    await c.query('BEGIN');
    await c.query("SET LOCAL pgpurpose.purpose = 'fraud'");
    const { rows: [row] } = await c.query('SELECT device_id, health_note FROM care.customers WHERE customer_id = $1', [1]);
    assert.deepEqual(row, { device_id: 'ada00000-0000-4000-8000-000000000001', health_note: null });
    await c.query('COMMIT');
    const { rows: [after] } = await c.query('SELECT device_id, health_note FROM care.customers WHERE customer_id = $1', [1]);
    assert.deepEqual(after, { device_id: null, health_note: 'Hearing aid, prefers chat' });
    await c.query('BEGIN');
    assert.equal((await c.query('UPDATE care.customers SET city = $1 WHERE customer_id = $2', ['Kiel', 1])).rowCount, 1);
    await refused('purpose_prohibited', c.query("SELECT email FROM care.customers /*purpose='sale'*/"));
    await assert.rejects(c.query('SELECT 1'), { code: '25P02' });
    await c.query('ROLLBACK');
    assert.equal((await c.query('SELECT city FROM care.customers WHERE customer_id = 1')).rows[0].city, 'Uppsala');
  }),

  pool_of_many: async () => {
    const pool = new Pool({ ...where, user: 'quality', options: '-c pgpurpose.purpose=care.quality', max: 4 });
    try {
      const answers = await Promise.all(Array.from({ length: 40 }, () => email(pool)));
      assert.deepEqual(new Set(answers), new Set([MASKED]));
    } finally { await pool.end(); }
  },

  several_statements_in_one_query: () => connected('support_app', undefined, async (c) => {
    const results = await c.query("SELECT 1 AS one; SELECT email FROM care.customers WHERE customer_id = 1; SELECT 2 AS two");
    assert.deepEqual(results.map((r) => r.rows[0]), [{ one: 1 }, { email: EMAIL }, { two: 2 }]);
    await refused('purpose_not_granted', c.query("SELECT 1; SELECT email FROM care.customers /*purpose='marketing'*/"));
  }),
};

(async () => {
  for (const [name, body] of Object.entries(tests)) {
    try { await body(); console.log(`ok ${name}`); } catch (e) {
      console.log(`FAIL ${name}: ${String(e && e.message ? e.message : e).replace(/\s+/g, ' ')}`);
    }
  }
  console.log('end');
})();
