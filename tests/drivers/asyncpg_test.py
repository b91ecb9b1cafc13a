"""asyncpg through the proxy: binary protocol, prepared statements, pools. Run by run.py; prints `ok NAME` or `FAIL NAME: why`."""
import asyncio
import datetime
import os

import asyncpg

PORT = int(os.environ['PROXY_PORT'])
EMAIL, MASKED = 'ada.lindqvist@example.net', 'a***@example.net'
QUERY = 'SELECT email FROM care.customers WHERE customer_id = $1'
TESTS = []


def test(f):
    TESTS.append(f)
    return f


async def connect(user, purpose=None):
    settings = {'pgpurpose.purpose': purpose} if purpose else {}
    return await asyncpg.connect(host='127.0.0.1', port=PORT, user=user, database='care', server_settings=settings, ssl=False)


def same(got, want):
    assert got == want, f'got {got!r}, expected {want!r}'


async def refused(code, awaitable):
    try:
        await awaitable
    except asyncpg.InsufficientPrivilegeError as e:
        same(e.sqlstate, '42501')
        same(e.constraint_name, code)
    else:
        raise AssertionError(f'not refused, expected {code}')


@test
async def two_purposes():
    conn = await connect('marketing_app', 'marketing')
    same(await conn.fetchval(QUERY, 1), MASKED)
    same(await conn.fetchval(QUERY + " /*purpose='marketing.email'*/", 1), EMAIL)
    await conn.execute("SET pgpurpose.purpose = 'marketing.email'")
    same(await conn.fetchval(QUERY, 1), EMAIL)
    await conn.execute('RESET pgpurpose.purpose')
    same(await conn.fetchval(QUERY, 1), MASKED)
    await conn.close()


@test
async def prepared_statement_outlives_a_change_of_purpose():
    conn = await connect('marketing_app', 'marketing')
    statement = await conn.prepare(QUERY)
    same([a.name for a in statement.get_attributes()], ['email'])
    same(await statement.fetchval(1), MASKED)
    await conn.execute("SET pgpurpose.purpose = 'marketing.email'")
    same(await statement.fetchval(1), EMAIL)
    await conn.close()


@test
async def types_in_binary():
    conn = await connect('quality', 'care.quality')
    row = await conn.fetchrow('SELECT customer_id, birth_date, health_note, region FROM care.customers WHERE customer_id = $1', 1)
    same(tuple(row), (1, datetime.date(1979, 1, 1), None, 'eu'))
    rows = await conn.fetch('SELECT customer_id FROM care.customers WHERE customer_id = ANY($1::int[]) ORDER BY 1', [1, 2, 3, 5])
    same([r[0] for r in rows], [1, 3])
    await conn.close()


@test
async def refusal_and_the_connection_lives_on():
    conn = await connect('support_app')
    await refused('purpose_not_granted', conn.fetch(QUERY + " /*purpose='marketing'*/", 1))
    same(await conn.fetchval(QUERY, 1), EMAIL)
    await refused('purpose_prohibited', conn.fetch(QUERY + " /*purpose='sale'*/", 1))
    same(await conn.fetchval(QUERY, 1), EMAIL)
    await conn.close()


@test
async def transactions():
    conn = await connect('marketing_app', 'marketing')
    async with conn.transaction():
        await conn.execute("SET LOCAL pgpurpose.purpose = 'marketing.email'")
        same(await conn.fetchval(QUERY, 1), EMAIL)
    same(await conn.fetchval(QUERY, 1), MASKED)
    try:
        async with conn.transaction():
            await refused('write_not_allowed', conn.execute('UPDATE care.customers SET city = $1 WHERE customer_id = $2', 'x', 1))
            await conn.fetchval(QUERY, 1)
    except asyncpg.InFailedSQLTransactionError:
        pass
    else:
        raise AssertionError('the transaction is not aborted')
    same(await conn.fetchval(QUERY, 1), MASKED)
    await conn.close()


@test
async def cursor():
    conn = await connect('marketing_app', 'marketing')
    async with conn.transaction():
        rows = [tuple(r) async for r in conn.cursor('SELECT customer_id, email FROM care.customers WHERE customer_id < $1 ORDER BY 1', 7, prefetch=1)]
    same(rows, [(1, MASKED), (3, 'c***@example.com')])
    await conn.close()


@test
async def pool_forgets_the_purpose():
    async with asyncpg.create_pool(host='127.0.0.1', port=PORT, user='marketing_app', database='care', min_size=1, max_size=1, ssl=False) as pool:
        async with pool.acquire() as conn:
            await conn.execute("SET pgpurpose.purpose = 'marketing.email'")
            same(await conn.fetchval(QUERY, 1), EMAIL)
        async with pool.acquire() as conn:
            await refused('purpose_missing', conn.fetchval(QUERY, 1))


@test
async def data_subject():
    conn = await connect('portal')
    await refused('subject_missing', conn.fetch('SELECT full_name FROM care.customers'))
    await conn.execute("SET pgpurpose.subject = 'care.customers:2'")
    same([tuple(r) for r in await conn.fetch('SELECT full_name, health_note FROM care.customers')], [('Bruno Keller', 'Pacemaker since 2019')])
    same(await conn.fetchval('SELECT count(DISTINCT customer_id) FROM care.orders'), 1)
    await conn.close()


async def main():
    for t in TESTS:
        try:
            await asyncio.wait_for(t(), 30)
            print(f'ok {t.__name__}')
        except Exception as e:  # noqa: BLE001: any failure is a failed case
            print(f'FAIL {t.__name__}: {type(e).__name__} {" ".join(str(e).split())}')
    print('end')


asyncio.run(main())
