"""What an application does, through whatever stands between. Run by run.py; prints `ok NAME` or `FAIL NAME: why`, `end`.

PORT is where to connect, CHECKS which checks to make.
"""
import os
import threading
import traceback

import psycopg
from psycopg import errors

PORT = int(os.environ['PORT'])
RAW, MASKED = 'ada.lindqvist@example.net', 'a***@example.net'
QUERY = 'SELECT email FROM care.customers WHERE customer_id = 1'
CHECKS = {}


def check(f):
    CHECKS[f.__name__] = f
    return f


def connect(user='support_app', **more):
    more.setdefault('prepare_threshold', None)
    return psycopg.connect(host='127.0.0.1', port=PORT, user=user, dbname='care', autocommit=True, connect_timeout=20, **more)


def one(conn, sql, **more):
    return conn.execute(sql, **more).fetchone()[0]


@check
def simple():
    with connect() as conn:
        assert one(conn, QUERY) == RAW


@check
def comment():
    with connect('marketing_app') as conn:
        for purpose, seen in [('marketing', MASKED), ('marketing.email', RAW)] * 3:
            assert one(conn, f"{QUERY} /*purpose='{purpose}'*/") == seen, purpose


@check
def set_local():
    with connect('marketing_app') as conn:
        for purpose, seen in [('marketing', MASKED), ('marketing.email', RAW)]:
            with conn.transaction():
                conn.execute(f"SET LOCAL pgpurpose.purpose = '{purpose}'")
                assert one(conn, QUERY) == seen, purpose


@check
def set_for_the_session():
    with connect('marketing_app') as conn:
        for purpose, seen in [('marketing', MASKED), ('marketing.email', RAW)]:
            conn.execute(f"SET pgpurpose.purpose = '{purpose}'")
            assert one(conn, QUERY) == seen and one(conn, QUERY) == seen, purpose


@check
def refusal_in_its_place():
    with connect() as conn:
        try:
            one(conn, f"{QUERY} /*purpose='sale'*/")
        except errors.InsufficientPrivilege as e:
            assert e.diag.constraint_name == 'purpose_prohibited', e.diag.constraint_name
        else:
            raise AssertionError('not refused')
        assert one(conn, QUERY) == RAW


@check
def parameters():
    with connect() as conn:
        sql = 'SELECT email FROM care.customers WHERE customer_id = %s'
        for _ in range(3):
            assert conn.execute(sql, (1,)).fetchone()[0] == RAW


@check
def prepared():
    with connect() as conn:
        sql = 'SELECT email FROM care.customers WHERE customer_id = %s'
        for _ in range(3):
            assert conn.execute(sql, (1,), prepare=True).fetchone()[0] == RAW


@check
def pipeline():
    with connect() as conn, conn.pipeline():
        cursors = [conn.execute('SELECT %s::int', (n,)) for n in range(50)]
        assert [c.fetchone()[0] for c in cursors] == list(range(50))


@check
def copy_out():
    with connect() as conn, conn.cursor() as cursor:
        with cursor.copy('COPY care.customers (customer_id, email) TO STDOUT') as copy:
            rows = dict(row for row in copy.rows())
        assert rows['1'] == RAW


@check
def cursor():
    with connect() as conn, conn.transaction(), conn.cursor('c') as cursor:
        cursor.itersize = 2
        cursor.execute('SELECT customer_id FROM care.customers ORDER BY 1')
        assert [r[0] for r in cursor][:3] == [1, 2, 3]


@check
def large_row():
    with connect() as conn:
        assert one(conn, "SELECT length(repeat('x', 20000000))") == 20000000
        assert len(one(conn, "SELECT repeat('x', 20000000)")) == 20000000


@check
def cancel():
    with connect() as conn:
        ended = threading.Event()

        def again():
            # One that comes before the statement runs is lost.
            while not ended.wait(0.05):
                conn.cancel()

        canceller = threading.Thread(target=again)
        canceller.start()
        try:
            one(conn, 'SELECT count(*) FROM generate_series(1, 100000000000)')
        except errors.QueryCanceled:
            pass
        else:
            raise AssertionError('not cancelled')
        finally:
            ended.set()
            canceller.join()
        # One that was under way may still hit the next statement.
        try:
            one(conn, 'SELECT 1')
        except errors.QueryCanceled:
            pass
        assert one(conn, 'SELECT 1') == 1


@check
def newest_protocol():
    """libpq 18: protocol 3.2, with its long keys, and a cancel by them."""
    with connect(min_protocol_version='3.2', max_protocol_version='3.2') as conn:
        assert conn.pgconn.full_protocol_version == 30002, conn.pgconn.full_protocol_version
    cancel()


for name in os.environ['CHECKS'].split():
    try:
        CHECKS[name]()
        print(f'ok {name}', flush=True)
    except Exception as e:
        print(f'FAIL {name}: {type(e).__name__} {e} {traceback.format_exc()[-300:]}'.replace('\n', ' '), flush=True)
print('end')
