"""More wire cases, beside bypass-wire.py and with its client, for orders of messages, formats and lengths that it lacks.
Run by run_bypass.py --wire; `python3 attacks-wire.py` with PORT and DB plays them against PostgreSQL itself, as a control."""
import importlib.util, os, re, struct
spec = importlib.util.spec_from_file_location('bypass_wire', os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bypass-wire.py'))
w = importlib.util.module_from_spec(spec); spec.loader.exec_module(w)
C, P, B, E, S, H, m, DB, EM = w.C, w.P, w.B, w.E, w.S, w.H, w.m, w.DB, w.EM
READ = b'SELECT email FROM customers'
cases = []


def case(name, cls):
    def keep(f): cases.append((name, cls, 'no leak', lambda: (f(), EM)))
    return keep


def sent(name, cls, *messages, answers=1, first=()):
    """Messages in one go, after queries."""
    def play():
        c = C()
        for q in first: c.q(q)
        c.send(*messages); return c.until(n=answers)
    cases.append((name, cls, 'no leak', lambda: (play(), EM)))


query = lambda text: m(b'Q', text + b'\0')
describe = lambda kind, name=b'': m(b'D', kind + name + b'\0')
close = lambda kind, name=b'': m(b'C', kind + name + b'\0')
# Orders of messages
sent('flush-without-sync', 'X-order', P(b'', READ), B(b'', b''), describe(b'P'), E(), H, S)
sent('rows-at-a-time', 'X-order', P(b'', READ), B(b'', b''), E(n=1), E(n=1), E(n=2), E(), S)
sent('describe-after-close', 'X-order', P(b's', READ), close(b'S', b's'), describe(b'S', b's'), S, P(b's', READ), B(b'', b's'), E(), S, answers=2)
sent('bind-after-close', 'X-order', P(b's', b'SELECT 1'), close(b'S', b's'), P(b's', READ), B(b'p', b's'), close(b'S', b's'), E(b'p'), S)
sent('name-taken-then-bound', 'X-order', P(b's', b'SELECT 1'), P(b's', READ), S, B(b'', b's'), E(), S, P(b's', READ), S, B(b'', b's'), E(), S, answers=4)
sent('name-taken-the-other-way', 'X-order', P(b's', READ), S, P(b's', b'SELECT 1'), S, B(b'', b's'), E(), S, answers=3)
sent('portal-taken', 'X-order', P(b'', READ), B(b'p', b''), B(b'p', b''), E(b'p'), S, P(b'', READ), B(b'p', b''), E(b'p'), S, answers=2)
sent('unnamed-after-query', 'X-order', P(b'', READ), S, query(b'SELECT 1'), B(b'', b''), E(), S, answers=3)
sent('parse-of-several', 'X-order', P(b'', b'SELECT 1; ' + READ), B(b'', b''), E(), S)
sent('parse-of-execute', 'X-order', P(b'', b'EXECUTE q'), B(b'', b''), E(), S, first=['PREPARE q AS SELECT email FROM customers'])
sent('parse-of-fetch', 'X-order', P(b'', b'FETCH ALL FROM k'), B(b'', b''), E(), S, first=['BEGIN', 'DECLARE k CURSOR FOR SELECT email FROM customers'])
sent('cursor-by-protocol', 'X-order', P(b'', b'DECLARE k CURSOR WITH HOLD FOR ' + READ), B(b'', b''), E(), S, describe(b'P', b'k'), E(b'k'), S, answers=2)
sent('portal-after-rollback-to', 'X-order', P(b'', READ), B(b'p', b''), E(b'p', 1), S, query(b'ROLLBACK TO a'), E(b'p'), S, query(b'COMMIT'), answers=4, first=['BEGIN', 'SAVEPOINT a'])
sent('portal-after-discard', 'X-order', P(b's', READ), S, query(b'DISCARD ALL'), B(b'', b's'), E(), S, answers=3)
sent('error-then-query-before-sync', 'X-order', P(b'', b'SELEKT'), query(READ), S, answers=2)
sent('two-pipelines-in-one-packet', 'X-order', P(b'', b'SELECT 1/0'), B(b'', b''), E(), S, P(b'', READ), B(b'', b''), E(), S, query(READ), answers=3)
sent('deallocate-then-bind', 'X-order', P(b's', READ), S, query(b'DEALLOCATE s'), P(b's', READ), B(b'', b's'), E(), S, answers=3)
sent('empty-then-read', 'X-order', P(b'', b''), B(b'', b''), E(), query(b';'), P(b'', READ), B(b'', b''), E(), S, answers=2)
# Formats and parameters
sent('binary-results', 'X-format', P(b'', READ), B(b'', b'', rfmt=(1,)), E(), S)
sent('more-formats-than-columns', 'X-format', P(b'', READ), B(b'', b'', rfmt=(1, 0, 1)), E(), S, P(b'', READ), B(b'', b''), E(), S, answers=2)
sent('unknown-format', 'X-format', P(b'', READ), B(b'', b'', rfmt=(7,)), E(), S)
sent('more-parameters-than-used', 'X-format', P(b'', READ, (23, 25, 0)), B(b'', b'', (b'1', b'x', None)), E(), S)
sent('no-such-type', 'X-format', P(b'', READ + b' WHERE id = $1', (999999,)), B(b'', b'', (b'1007',)), E(), S)
sent('record-parameter', 'X-format', P(b'', b'SELECT c FROM customers c WHERE c = $1', (2249,)), B(b'', b'', (b'(1007)',)), E(), S)
sent('binary-parameter', 'X-format', P(b'', READ + b' WHERE id = $1', (23,)), B(b'', b'', (struct.pack('!i', 1007),), fmt=(1,)), E(), S)
sent('parameter-cast-error', 'X-format', P(b'', b'SELECT email::int FROM customers WHERE id = $1', (23,)), B(b'', b'', (b'1007',)), E(), S)
sent('parameter-in-limit', 'X-format', P(b'', READ + b' LIMIT $1 OFFSET $2'), B(b'', b'', (b'3', b'1')), E(), S)
# Lengths and types
sent('bind-counts-lie', 'X-length', P(b'', READ), m(b'B', b'\0\0\0\0\xff\xff\0\0'), E(), S)
sent('value-length-minus-two', 'X-length', P(b'', READ + b' WHERE id = $1'), m(b'B', b'\0\0\0\0\0\1\xff\xff\xff\xfe\0\0'), E(), S)
sent('length-below-four', 'X-length', b'Q\0\0\0\3' + query(READ))
sent('length-is-sign', 'X-length', b'P\x80\0\0\4' + query(READ))
sent('parse-without-end-of-name', 'X-length', m(b'P', READ), query(READ), answers=2)
sent('describe-of-no-kind', 'X-length', P(b'', READ), describe(b'X'), B(b'', b''), E(), S)
sent('close-of-no-kind', 'X-length', close(b'X'), query(READ), answers=2)
sent('execute-too-short', 'X-length', P(b'', READ), B(b'', b''), m(b'E', b'\0\0'), S)
for tag in b'RSTDKZNACGHW':
    sent(f'backend-message-{chr(tag)}', 'X-type', m(bytes([tag]), b'\0\0\0\0'), query(READ))
sent('ssl-request-in-session', 'X-type', struct.pack('!II', 8, 80877103), query(READ))
sent('startup-in-session', 'X-type', w.startup([('user', 'postgres'), ('database', DB)]), query(READ))
sent('function-call-of-anything', 'X-type', m(b'F', struct.pack('!IHHH', 2026, 0, 0, 0)), query(READ), answers=2)
# A setting that changes without being followed: read in BIG5, the quote behind the backslash ends the string.
SWALLOWED = "SELECT E'\u4e25\\' UNION ALL SELECT health_note FROM customers, generate_series(1, 200) --'".encode()
ENCODING = b"SELECT set_config('client_encoding', 'BIG5', false)"
for name, text in {'alone': ENCODING, 'union': ENCODING + b" UNION SELECT 'x'", 'distinct': ENCODING.replace(b'SELECT', b'SELECT DISTINCT'), 'offset': ENCODING + b' OFFSET 1',
                   'with': b'WITH w AS (SELECT 1) ' + ENCODING, 'insert': b'INSERT INTO notes(body) ' + ENCODING, 'names': b"SET NAMES 'BIG5'", 'rows': ENCODING + b', generate_series(1, 3)'}.items():
    sent(f'encoding-{name}', 'X-encoding', P(b'', text), B(b'p', b''), E(b'p', 1), P(b'', SWALLOWED), B(b'', b''), E(), S)
# COPY data where no COPY is, and statements where one is
sent('copy-data-outside', 'X-copy', m(b'd', b'1\tx\n'), m(b'c'), m(b'f', b'no\0'), query(READ))
sent('query-inside-copy-in', 'X-copy', query(b'COPY contacts FROM STDIN'), query(READ), m(b'c'), query(READ), answers=2)
sent('parse-inside-copy-in', 'X-copy', query(b'COPY contacts FROM STDIN'), P(b'', READ), B(b'', b''), E(), S, m(b'c'), query(READ), answers=2)
sent('copy-fail-then-read', 'X-copy', query(b'COPY contacts FROM STDIN'), m(b'd', b'9\tx\n'), m(b'f', b'stop\0'), query(READ), answers=2)
sent('copy-out-then-data', 'X-copy', query(b'COPY (SELECT email FROM customers) TO STDOUT'), m(b'd', b'x'), m(b'c'), query(READ), answers=2)
sent('copy-among-statements', 'X-copy', query(b'SELECT 1; COPY contacts FROM STDIN; ' + READ), m(b'c'), query(READ), answers=2)
sent('copy-in-bad-rows', 'X-copy', query(b'COPY contacts FROM STDIN'), m(b'd', b'not a number\tx\n'), m(b'c'), query(READ), answers=2)
# Start-up
for name, options in {'purpose-not-granted': '-c pgpurpose.purpose=care', 'purpose-twice': '-c pgpurpose.purpose=marketing -c pgpurpose.purpose=care', 'escaped': '-c pgpurpose.purpose=ca\\re',
                      'long-form': '--pgpurpose.purpose=care', 'quoted-path': '-c search_path="evil\\,public"', 'replica': '-c session_replication_role=replica'}.items():
    @case(f'start-up-{name}', 'X-startup')
    def _(options=options):
        c = C([('user', 'app'), ('database', DB), ('options', options)]); return c.hello + c.q('SELECT health_note, email FROM customers')
@case('start-up-as-parameter', 'X-startup')
def _(): c = C([('user', 'app'), ('database', DB), ('pgpurpose.purpose', 'care')]); return c.hello + c.q('SELECT health_note, email FROM customers')
@case('minor-version-unknown', 'X-startup')
def _(): c = C(ver=196608 + 99); return c.hello + c.q('SELECT email FROM customers')

if __name__ == '__main__':
    seen = [name for name, _, _, play in cases if re.search(EM, play()[0])]
    print(f'{len(seen)} of {len(cases)} leak; not: {sorted({c[0] for c in cases} - set(seen))}')
