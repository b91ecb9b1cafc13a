"""psycopg 3 through the proxy. Run by run.py; prints `ok NAME` or `FAIL NAME: why`, and `end`."""
import os
import traceback

import psycopg
from psycopg import errors

PORT = int(os.environ['PROXY_PORT'])
EMAIL, MASKED = 'ada.lindqvist@example.net', 'a***@example.net'
QUERY = 'SELECT email FROM care.customers WHERE customer_id = %s'
TESTS = []


def test(f):
    TESTS.append(f)
    return f


def connect(user, purpose=None, autocommit=True, **more):
    conn = psycopg.connect(host='127.0.0.1', port=PORT, user=user, dbname='care', autocommit=autocommit, **more)
    if purpose:
        conn.execute(f"SET pgpurpose.purpose = '{purpose}'")
    return conn


def same(got, want):
    assert got == want, f'got {got!r}, expected {want!r}'


def refused(code, run):
    try:
        run()
    except errors.InsufficientPrivilege as e:
        same(e.diag.sqlstate, '42501')
        same(e.diag.constraint_name, code)
        assert e.diag.message_primary.endswith(f'({code})'), e.diag.message_primary
        assert 'privacy@example.com' in (e.diag.message_hint or ''), e.diag.message_hint
    else:
        raise AssertionError(f'not refused, expected {code}')


@test
def default_purpose():
    with connect('support_app') as conn:
        same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])


@test
def prepared_with_parameters_under_two_purposes():
    with connect('marketing_app', 'marketing') as conn:
        for _ in range(2):
            same(conn.execute(QUERY, (1,), prepare=True).fetchall(), [(MASKED,)])
        conn.execute("SET pgpurpose.purpose = 'marketing.email'")
        same(conn.execute(QUERY, (1,), prepare=True).fetchall(), [(EMAIL,)])
        conn.execute("SET pgpurpose.purpose = 'marketing'")
        same(conn.execute(QUERY, (1,), prepare=True).fetchall(), [(MASKED,)])


@test
def prepare_of_sql_is_planned_for_the_purpose_of_each_execute():
    email = lambda: conn.execute('EXECUTE p (1)').fetchall()
    with connect('marketing_app', 'marketing') as conn:
        conn.execute('PREPARE p (int) AS SELECT email FROM care.customers WHERE customer_id = $1')
        same(email(), [(MASKED,)])
        conn.execute("BEGIN")
        conn.execute("SET pgpurpose.purpose = 'marketing.email'")
        same(email(), [(EMAIL,)])
        conn.execute("SAVEPOINT s")
        conn.execute("SET LOCAL pgpurpose.purpose = 'marketing'")
        same(email(), [(MASKED,)])
        conn.execute("ROLLBACK TO s")
        same(email(), [(EMAIL,)])
        conn.execute("ROLLBACK")
        same(email(), [(MASKED,)])
        conn.execute('DEALLOCATE p')
        conn.execute('PREPARE p AS SELECT 1')
        same(conn.execute('EXECUTE p').fetchall(), [(1,)])


@test
def the_unnamed_statement_outlives_all_others_under_each_purpose():
    def run(sql):
        # A simple query, or a Parse without a name, would end the unnamed statement.
        conn.pgconn.prepare(b'other', sql.encode())
        return executed(b'other')

    def executed(name, *values):
        result = conn.pgconn.exec_prepared(name, values)
        assert result.status in (psycopg.pq.ExecStatus.TUPLES_OK, psycopg.pq.ExecStatus.COMMAND_OK), result.error_message
        return result

    def email(purpose):
        run(f"SET pgpurpose.purpose = '{purpose}'")
        conn.pgconn.close_prepared(b'other')
        return executed(b'', b'1').get_value(0, 0).decode()
    for gone in ('DEALLOCATE ALL', 'DISCARD ALL'):
        with connect('marketing_app', 'marketing') as conn:
            conn.pgconn.prepare(b'', b'SELECT email FROM care.customers WHERE customer_id = $1')
            same([email('marketing.email'), email('marketing')], [EMAIL, MASKED])
            run(gone)
            same([email('marketing.email'), email('marketing')], [EMAIL, MASKED])


@test
def a_parameter_may_name_a_harmless_setting():
    with connect('support_app') as conn:
        for query in ('SELECT current_setting(%s)', 'SELECT pg_catalog.current_setting(%s::varchar, true)', 'SELECT * FROM current_setting(%s::text)'):
            for prepare in (False, True):
                one = lambda name: conn.execute(query, (name,), prepare=prepare).fetchone()[0]
                same((one('work_mem'), one('TimeZone'), one(None)), ('4MB', 'UTC', None))
                for name in ('pgpurpose.key_care', 'pgpurpose.secret', 'no_such_setting', 'session_authorization; x', ''):
                    refused('function_not_allowed', lambda: one(name))
        for query in ('SELECT current_setting(%s || %s)', 'SELECT current_setting(%s::varchar(3)) || %s', 'SELECT current_setting(%s::name::text) || %s'):
            refused('function_not_allowed', lambda: conn.execute(query, ('work_', 'mem')))
        # Where the value passes by unseen, the name must be a constant.
        refused('function_not_allowed', lambda: conn.execute('PREPARE p (text) AS SELECT current_setting($1)'))
        conn.pgconn.prepare(b's', b'SELECT current_setting($1)')
        try:
            conn.execute("EXECUTE s ('work_mem')")
        except errors.InsufficientPrivilege as e:
            same(e.diag.constraint_name, 'statement_not_allowed')
        else:
            raise AssertionError('EXECUTE ran')


@test
def a_prepared_transaction_ends_the_purpose_that_was_local_to_it():
    email = lambda: conn.execute(QUERY, (1,)).fetchone()[0]
    with connect('marketing_app', 'marketing') as conn, connect('marketing_app', 'marketing') as other:
        for end, session in (('COMMIT', conn), ('ROLLBACK', other)):
            conn.execute('BEGIN')
            conn.execute("SET LOCAL pgpurpose.purpose = 'marketing.email'")
            same(email(), EMAIL)
            conn.execute("PREPARE TRANSACTION 'both'")
            same((email(), conn.info.transaction_status), (MASKED, psycopg.pq.TransactionStatus.IDLE))
            session.execute(f"{end} PREPARED 'both'")
            same(email(), MASKED)


@test
def temporary_tables_are_of_their_session_and_transaction():
    rows = lambda c, table: c.execute(f'SELECT * FROM {table}').fetchall()

    def gone(table, session=None):
        try:
            rows(session or conn, table)
        except errors.UndefinedTable:
            return
        raise AssertionError(f'{table} is there')
    with connect('support_app') as conn, connect('support_app') as other:
        conn.execute('CREATE TEMP TABLE sums AS SELECT product_id, count(*) AS n FROM care.products GROUP BY 1')
        same(len(rows(conn, 'sums')) > 0, True)
        conn.execute('INSERT INTO pg_temp.sums VALUES (%s, 7)', (-1,))
        same(conn.execute('SELECT n FROM sums WHERE product_id < 0').fetchall(), [(7,)])
        refused('classification_downgrade', lambda: conn.execute('INSERT INTO sums SELECT customer_id, length(full_name) FROM care.customers'))
        refused('classification_downgrade', lambda: conn.execute('CREATE TEMP TABLE names AS SELECT full_name FROM care.customers'))
        conn.execute('BEGIN')
        conn.execute('CREATE TEMP TABLE one (n int) ON COMMIT DROP')
        conn.execute('INSERT INTO one VALUES (1)')
        same(rows(conn, 'one'), [(1,)])
        conn.execute('COMMIT')
        gone('one')
        conn.execute('BEGIN')
        conn.execute('CREATE TEMP TABLE undone AS SELECT 1 AS n')
        same(rows(conn, 'undone'), [(1,)])
        conn.execute('ROLLBACK')
        gone('undone')
        # Another session's is another's, and the session's own table stands before that of the schema while it is there.
        gone('sums', other)
        conn.execute("SET search_path = care")
        conn.execute('CREATE TEMP TABLE customers AS SELECT 5 AS customer_id')
        same(rows(conn, 'customers'), [(5,)])
        conn.execute('DISCARD TEMP')
        same(len(conn.execute('SELECT full_name FROM customers LIMIT 2').fetchall()), 2)
        gone('sums')


@test
def no_name_is_looked_up_behind_a_change_in_the_same_pipeline():
    with connect('support_app') as conn:
        conn.execute('SET search_path = care')
        before = conn.execute('SELECT quantity FROM orders WHERE order_id = 5').fetchone()

        def shadowed():
            with conn.pipeline():
                conn.execute('CREATE TEMP TABLE orders (order_id int, quantity int)')
                conn.execute('UPDATE orders SET quantity = 77 WHERE order_id = 5')
        # PostgreSQL would change the temporary table; ours cannot have looked at it yet.
        refused('statement_not_allowed', shadowed)

        def prepared_before():
            with conn.pipeline():
                conn.execute('CREATE TEMP TABLE orders (order_id int, quantity int)')
                conn.execute('EXECUTE change')
        conn.execute('PREPARE change AS UPDATE orders SET quantity = 77 WHERE order_id = 5')
        refused('statement_not_allowed', prepared_before)
        same(conn.execute('SELECT quantity FROM care.orders WHERE order_id = 5').fetchone(), before)
        with conn.pipeline() as pipeline:
            conn.execute('CREATE TEMP TABLE orders (order_id int, quantity int)')
            pipeline.sync()
            changed = conn.execute('UPDATE orders SET quantity = 77 WHERE order_id = 5')
        same(changed.rowcount, 0)


@test
def notifications_are_delivered():
    with connect('support_app') as listens, connect('support_app') as speaks:
        listens.execute('LISTEN news')
        speaks.execute('BEGIN')
        speaks.execute("NOTIFY news, 'undone'")
        speaks.execute('ROLLBACK')
        speaks.execute("NOTIFY news, 'plain'")
        speaks.execute('SELECT pg_notify(%s, %s)', ('news', 'by a parameter'))
        refused('classification_downgrade', lambda: speaks.execute("SELECT pg_notify('news', full_name) FROM care.customers WHERE customer_id = 1"))
        got = [(n.channel, n.payload) for n in listens.notifies(timeout=20, stop_after=2)]
        same(got, [('news', 'plain'), ('news', 'by a parameter')])
        listens.execute('UNLISTEN *')


NAME = 'SELECT full_name FROM care.customers'


def of(subject, sql=NAME):
    return f"{sql} /*subject='care.customers:{subject}'*/"


@test
def a_subject_in_a_tag_is_of_its_statement_alone():
    ada, bruno, chidi = [('Ada Lindqvist',)], [('Bruno Keller',)], [('Chidi Okafor',)]
    with connect('portal') as conn:
        for prepare in (False, True):
            same(conn.execute(of(1), prepare=prepare).fetchall(), ada)
            same(conn.execute(of(2), prepare=prepare).fetchall(), bruno)
            refused('subject_missing', lambda: conn.execute(NAME, prepare=prepare))
            conn.execute("SET pgpurpose.subject = 'care.customers:3'")
            same(conn.execute(NAME, prepare=prepare).fetchall(), chidi)
            same(conn.execute(of(1), prepare=prepare).fetchall(), ada)
            same(conn.execute(NAME, prepare=prepare).fetchall(), chidi)
            same(conn.execute('SHOW pgpurpose.subject').fetchone(), ('care.customers:3',))
            conn.execute('RESET ALL')
            same(conn.execute(of(2), prepare=prepare).fetchall(), bruno)
        conn.execute('DISCARD ALL')
        same(conn.execute(of(1), prepare=False).fetchall(), ada)
        # No SQL: the tag's text is a value.
        refused('subject_missing', lambda: conn.execute(of("1'||'")))
        refused('subject_missing', lambda: conn.execute(of('1%27%29%3B')))
        same(conn.execute(of(1) + '; ' + of(1)).fetchall(), ada)
        refused('subject_missing', lambda: conn.execute(of(1) + '; ' + of(2)))
        ours = "'pgpurpose.statement_subject'"
        refused('statement_not_allowed', lambda: conn.execute(of(1, f"SELECT set_config({ours}, 'care.customers:2', false)")))
        refused('statement_not_allowed', lambda: conn.execute(f"SET {ours[1:-1]} = 'care.customers:1'"))
        refused('function_not_allowed', lambda: conn.execute(of(1, f'SELECT current_setting({ours})')))


@test
def a_subject_in_a_tag_survives_no_failure():
    ada, bruno = [('Ada Lindqvist',)], [('Bruno Keller',)]
    fails = 'SELECT 1 / (customer_id - customer_id) FROM care.customers'
    with connect('portal') as conn:
        conn.execute("SET pgpurpose.subject = 'care.customers:2'")
        for _ in range(2):
            try:
                conn.execute(of(1, fails))
                raise AssertionError('does not fail')
            except errors.DivisionByZero:
                pass
            same(conn.execute(NAME).fetchall(), bruno)
            same(conn.execute(of(1)).fetchall(), ada)
        with conn.transaction():
            same(conn.execute(of(1)).fetchall(), ada)
            try:
                with conn.transaction():
                    same(conn.execute(NAME).fetchall(), bruno)
                    conn.execute(of(2, fails))
            except errors.DivisionByZero:
                pass
            same(conn.execute(of(1)).fetchall(), ada)
            same(conn.execute(NAME).fetchall(), bruno)
        try:
            with conn.pipeline():
                first = conn.execute(of(1))
                second = conn.execute(NAME)
                third = conn.execute(of(1, fails))
                conn.execute(of(1))
        except errors.DivisionByZero:
            pass
        same((first.fetchall(), second.fetchall(), third.description), (ada, bruno, None))
        with conn.pipeline():
            many = [conn.execute(of(1 + n % 2)) for n in range(6)]
        same([c.fetchall() for c in many], [ada, bruno] * 3)


@test
def a_cursor_is_read_for_the_subject_that_it_was_opened_for():
    with connect('portal', autocommit=False) as conn:
        conn.execute(of(1, 'DECLARE c CURSOR FOR SELECT line_no, customer_id FROM care.transcripts'))
        same(conn.execute(of(1, 'FETCH 1 FROM c')).fetchone()[1], 1)
        same(conn.execute(of(2)).fetchall(), [('Bruno Keller',)])
        same(len(conn.execute(of(1, 'FETCH ALL FROM c')).fetchall()) > 0, True)
        refused('purpose_conflict', lambda: conn.execute(of(2, 'FETCH ALL FROM c')))
        conn.rollback()
        refused('statement_not_allowed', lambda: conn.execute(of(1, 'DECLARE c CURSOR WITH HOLD FOR ' + NAME)))
        conn.rollback()
        conn.execute(of(1, 'PREPARE p AS ' + NAME))
        same(conn.execute(of(1, 'EXECUTE p')).fetchall(), [('Ada Lindqvist',)])
        refused('purpose_conflict', lambda: conn.execute(of(2, 'EXECUTE p')))


def too_many(run):
    refused('too_many_rows', run)


@test
def too_many_rows_end_the_statement_alone():
    with connect('quality', 'care.quality') as conn:
        too_many(lambda: conn.execute('SELECT customer_id FROM care.customers'))
        too_many(lambda: conn.execute('SELECT customer_id FROM care.customers WHERE customer_id > %s', (1,), prepare=True))
        too_many(lambda: conn.execute('SELECT customer_id FROM care.customers', binary=True).fetchall())
        same(len(conn.execute('SELECT customer_id FROM care.customers LIMIT 500').fetchall()), 500)
        too_many(lambda: conn.execute('SELECT customer_id FROM care.customers LIMIT 501'))
        same(conn.execute('SELECT 1').fetchone(), (1,))
        conn.execute("SELECT customer_id FROM care.customers LIMIT 3; SELECT 2")
        too_many(lambda: conn.execute('SELECT customer_id FROM care.customers; SELECT 2'))
        # What was done in the same message could not be undone.
        refused('statement_not_allowed', lambda: conn.execute('SELECT customer_id FROM care.customers; COMMIT'))


@test
def too_many_rows_fail_the_transaction():
    with connect('quality', options='-c pgpurpose.purpose=care.quality', autocommit=False) as conn:
        for prepare in (False, True):
            conn.execute("SET LOCAL pgpurpose.reason = 'T-1'")
            too_many(lambda: conn.execute('SELECT customer_id FROM care.customers', prepare=prepare))
            same(conn.info.transaction_status, psycopg.pq.TransactionStatus.INERROR)
            try:
                conn.execute('SELECT 1')
                raise AssertionError('the transaction goes on')
            except errors.InFailedSqlTransaction:
                pass
            conn.rollback()
            same(conn.execute('SHOW pgpurpose.reason').fetchone(), ('',))
            conn.rollback()


@test
def too_many_rows_in_a_pipeline_stop_it():
    with connect('quality', 'care.quality') as conn:
        try:
            with conn.pipeline() as pipeline:
                conn.execute('SELECT customer_id FROM care.customers')
                conn.execute("SET pgpurpose.reason = 'behind'")
                pipeline.sync()
            raise AssertionError('not refused')
        except errors.InsufficientPrivilege as e:
            same(e.diag.constraint_name, 'too_many_rows')
        same(conn.execute('SHOW pgpurpose.reason').fetchone(), ('',))


@test
def rows_are_counted_over_all_fetches():
    with connect('quality', 'care.quality', autocommit=False) as conn:
        with conn.cursor('some') as cursor:
            cursor.execute('SELECT customer_id FROM care.customers')
            for _ in range(5):
                same(len(cursor.fetchmany(100)), 100)
            too_many(lambda: cursor.fetchmany(1))
        conn.rollback()
        same(conn.execute('SELECT 1').fetchone(), (1,))


@test
def rows_of_a_copy_are_counted():
    def copied(conn, statement):
        with conn.cursor() as cursor, cursor.copy(statement) as copy:
            return sum(bytes(block).count(b'\n') for block in copy)
    with connect('quality', 'care.quality') as conn:
        for what in ('care.customers (customer_id)', '(SELECT customer_id FROM care.customers)'):
            for how in ('', ' (FORMAT csv, HEADER)', ' (FORMAT binary)', ' (FORMAT csv, HEADER off)'):
                too_many(lambda: copied(conn, f'COPY {what} TO STDOUT{how}'))
        few = '(SELECT customer_id FROM care.customers LIMIT 500)'
        same(copied(conn, f'COPY {few} TO STDOUT'), 500)
        same(copied(conn, f'COPY {few} TO STDOUT (FORMAT csv, HEADER)'), 501)
        copied(conn, f'COPY {few} TO STDOUT (FORMAT binary)')
        same(conn.execute('SELECT 1').fetchone(), (1,))


@test
def purpose_in_a_comment():
    with connect('marketing_app', 'marketing') as conn:
        same(conn.execute(QUERY + " /*purpose='marketing.email',traceparent='00-1-2-01'*/", (1,)).fetchall(), [(EMAIL,)])
        same(conn.execute("/*purpose='marketing.email'*/ " + QUERY, (1,), prepare=True).fetchall(), [(EMAIL,)])
        same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])


@test
def purpose_at_start_up():
    with connect('marketing_app', options='-c pgpurpose.purpose=marketing') as conn:
        same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])
        same(conn.execute('SHOW pgpurpose.purpose').fetchall(), [('marketing',)])


@test
def conditions_see_the_released_form():
    with connect('marketing_app', 'marketing') as conn:
        count = 'SELECT count(*) FROM care.customers WHERE email = %s'
        same(conn.execute(count, (EMAIL,)).fetchone(), (0,))


@test
def binary_results():
    with connect('quality', 'care.quality') as conn, conn.cursor(binary=True) as cur:
        cur.execute('SELECT customer_id, birth_date, created_at IS NULL, health_note FROM care.customers WHERE customer_id = %b', (1,))
        (customer, born, unknown, note), = cur.fetchall()
        same((customer, born.isoformat(), unknown, note), (1, '1979-01-01', False, None))


@test
def refusal_and_the_connection_lives_on():
    with connect('support_app') as conn:
        refused('purpose_not_granted', lambda: conn.execute(QUERY + " /*purpose='marketing'*/", (1,)))
        same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])
        refused('purpose_unknown', lambda: conn.execute(QUERY + " /*purpose='care.nothing'*/", (1,), prepare=True))
        same(conn.execute(QUERY, (1,), prepare=True).fetchall(), [(EMAIL,)])
    with connect('quality') as conn:
        refused('purpose_missing', lambda: conn.execute(QUERY, (1,)))
        conn.execute("SET pgpurpose.purpose = 'care.quality'")
        refused('column_refused', lambda: conn.execute('SELECT device_id FROM care.customers'))
        same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])
    with connect('former_dialer') as conn:
        refused('recipient_not_assured', lambda: conn.execute('SELECT phone FROM care.customers'))


@test
def refusal_aborts_the_transaction_as_an_error_does():
    with connect('support_app', autocommit=False) as conn:
        conn.execute('SELECT 1')
        refused('purpose_not_granted', lambda: conn.execute(QUERY + " /*purpose='marketing'*/", (1,)))
        try:
            conn.execute('SELECT 1')
        except errors.InFailedSqlTransaction:
            pass
        else:
            raise AssertionError('the transaction is not aborted')
        conn.rollback()
        same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])


@test
def purpose_follows_the_transaction():
    with connect('marketing_app', 'marketing') as conn:
        with conn.transaction():
            conn.execute("SET LOCAL pgpurpose.purpose = 'marketing.email'")
            same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])
        same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])
        with conn.transaction(force_rollback=True):
            conn.execute("SET pgpurpose.purpose = 'marketing.email'")
            with conn.transaction(force_rollback=True):
                conn.execute("SELECT set_config('pgpurpose.purpose', 'marketing', false)")
                same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])
            same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])
        same(conn.execute(QUERY, (1,)).fetchall(), [(MASKED,)])


@test
def writes_in_a_transaction():
    with connect('support_app') as conn:
        with conn.transaction(force_rollback=True):
            new, = conn.execute('INSERT INTO care.customers (full_name, email, birth_date, region) VALUES (%s, %s, %s, %s) RETURNING customer_id',
                                ('Test Person', 'test.person@example.net', '1980-01-01', 'eu')).fetchone()
            same(conn.execute('UPDATE care.customers SET city = %s WHERE customer_id = %s', ('Turku', new)).rowcount, 1)
            same(conn.execute('SELECT email, city FROM care.customers WHERE customer_id = %s', (new,)).fetchall(),
                 [('test.person@example.net', 'Turku')])
            same(conn.execute('DELETE FROM care.customers WHERE customer_id = %s', (new,)).rowcount, 1)
    with connect('marketing_app', 'marketing') as conn:
        refused('write_not_allowed', lambda: conn.execute('UPDATE care.customers SET city = %s WHERE customer_id = %s', ('x', 1)))


@test
def many_rows_in_one_call():
    with connect('support_app') as conn, conn.transaction(force_rollback=True):
        cur = conn.cursor()
        cur.executemany('INSERT INTO care.consents (customer_id, purpose, status) VALUES (%s, %s, %s)',
                        [(1 + i % 4, 'marketing', 'refused') for i in range(50)])  # 5 is a child, of whom nothing may be stored
        same(cur.rowcount, 50)


@test
def pipeline_with_a_refusal_in_its_place():
    with connect('support_app') as conn:
        try:
            with conn.pipeline():
                first = conn.execute(QUERY, (1,))
                conn.execute(QUERY + " /*purpose='marketing'*/", (2,))
                conn.execute(QUERY, (3,))
        except errors.InsufficientPrivilege as e:
            same(e.diag.constraint_name, 'purpose_not_granted')
        else:
            raise AssertionError('not refused')
        same(first.fetchall(), [(EMAIL,)])
        same(conn.execute(QUERY, (1,)).fetchall(), [(EMAIL,)])


@test
def server_side_cursor():
    with connect('quality', 'care.quality') as conn, conn.transaction(), conn.cursor('c') as cur:
        cur.execute('SELECT customer_id, email FROM care.customers WHERE customer_id < %s ORDER BY customer_id', (5,))
        same(cur.fetchmany(2), [(1, MASKED), (3, 'c***@example.com')])
        same(cur.fetchall(), [(4, 'd***@example.net')])


@test
def copy_out_is_masked():
    with connect('marketing_app', 'marketing') as conn, conn.cursor() as cur:
        with cur.copy('COPY (SELECT customer_id, email FROM care.customers WHERE customer_id <= 3 ORDER BY 1) TO STDOUT') as copy:
            same(list(copy.rows()), [('1', MASKED), ('3', 'c***@example.com')])


def owner():
    return psycopg.connect(host='127.0.0.1', port=int(os.environ['UPSTREAM_PORT']), user='postgres', dbname='care')


@test
def a_withdrawal_counts_from_its_commit():
    """By value (a customer's address) and by row (their orders); under each isolation level."""
    value = f"SELECT email FROM care.customers WHERE email = '{EMAIL}'"
    row = 'SELECT DISTINCT 1 FROM care.orders WHERE customer_id = 1'
    given, gone = ([(EMAIL,)], [(1,)]), ([], [])
    seen = lambda conn: (conn.execute(value).fetchall(), conn.execute(row).fetchall())  # noqa: E731
    with owner() as direct:
        for level in ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'):
            with connect('marketing_app', 'marketing.email') as conn, connect('marketing_app', 'marketing.email') as other:
                conn.execute(f'BEGIN ISOLATION LEVEL {level}')
                same(seen(conn), given)
                conn.execute(f'DECLARE c CURSOR FOR {value}')
                direct.execute("INSERT INTO care.consents (customer_id, purpose, status, recorded_at) "
                               "VALUES (1, 'marketing', 'withdrawn', now())")
                same((seen(conn), seen(other)), (given, given))
                direct.commit()
                same(seen(other), gone)
                # The snapshot of a transaction, or of a cursor, is of before.
                same(seen(conn), gone if level == 'READ COMMITTED' else given)
                same(conn.execute('FETCH ALL FROM c').fetchall(), given[0])
                conn.execute('COMMIT')
                same(seen(conn), gone)
            direct.execute("DELETE FROM care.consents WHERE customer_id = 1 AND purpose = 'marketing' AND status = 'withdrawn'")
            direct.commit()


@test
def groups_left_out_do_not_show_in_binary_or_in_parts():
    query = 'SELECT region, count(*) FROM care.customers WHERE customer_id > %s GROUP BY region ORDER BY region'
    with connect('analytics', 'service_improvement') as conn:
        heard = []
        conn.add_notice_handler(lambda notice: heard.append(notice.message_primary))
        for binary in (False, True):
            with conn.cursor(binary=binary) as cur:
                cur.execute(query, (0,), prepare=True)
                same([c.name for c in cur.description], ['region', 'count'])
                same([region for region, _ in cur.fetchall()], ['ch', 'eu', 'uk', 'us'])
        with conn.transaction(), conn.cursor('parts') as cur:
            cur.execute(query, (0,))
            same([len(cur.fetchmany(3)), len(cur.fetchmany(3))], [3, 1])
        same(heard, [])


@test
def chinook():
    with psycopg.connect(host='127.0.0.1', port=PORT, user='quality', dbname='chinook', autocommit=True,
                         options='-c pgpurpose.purpose=care.quality') as conn:
        same(conn.execute('SELECT first_name, email FROM customer WHERE customer_id = %s', (1,)).fetchall(),
             [('L***', 'l***@embraer.com.br')])
        rows = conn.execute('SELECT g.name, count(*) FROM track t JOIN genre g USING (genre_id) GROUP BY g.name ORDER BY 2 DESC, 1 LIMIT 1').fetchall()
        same(rows, [('Rock', 1297)])


for t in TESTS:
    try:
        t()
        print(f'ok {t.__name__}')
    except Exception as e:  # noqa: BLE001: any failure is a failed case
        place = traceback.extract_tb(e.__traceback__)[1:2]
        print(f'FAIL {t.__name__}: {type(e).__name__} {" ".join(str(e).split())} at line {place[0].lineno if place else "?"}')
print('end')
