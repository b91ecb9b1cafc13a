-- What people type into psql, through the proxy. Played by run.py.
-- Header: -- case: NAME | db: DATABASE | role: ROLE [| purpose: PURPOSE] [| must-see: REGEX] [| same-as-direct]
--   must-see       is looked for in what psql prints, both streams (may be given several times)
--   same-as-direct what psql prints must be what it prints when it speaks to PostgreSQL itself
--   fails          an ERROR is expected; without it, none may be seen

-- ===== psql's own commands: they read the system catalogs
-- case: d | db: care | role: support_app | same-as-direct
\d
-- case: d-care | db: care | role: support_app | must-see: customer_overview | must-see: interactions_default
\d care.*
-- case: d-customers | db: care | role: support_app | must-see: health_note *\| text | must-see: "customers_pkey" PRIMARY KEY | must-see: Referenced by: | same-as-direct
\d care.customers
-- case: d-plus-customers | db: care | role: support_app | must-see: One|What the person told us | same-as-direct
\d+ care.customers
-- case: d-partitioned | db: care | role: support_app | must-see: Partition key: RANGE \(started_at\) | same-as-direct
\d care.interactions
-- case: d-view | db: care | role: support_app | must-see: answered_by | same-as-direct
\d care.conversations
-- case: d-plus-view | db: care | role: support_app | must-see: its own text is not shown | must-not-see: JOIN
\d+ care.conversations
-- case: df-plus | db: care | role: support_app | must-see: euros | must-not-see: 100\.0
\df+ care.*
-- case: sf | db: care | role: support_app | fails | must-see: pg_get_functiondef is not allowed
\sf care.euros
-- case: dt | db: care | role: quality | must-see: care *\| customers | same-as-direct
\dt care.*
-- case: dt-none | db: care | role: quality | must-see: Did not find any relations | same-as-direct
\dt
-- case: dv | db: care | role: quality | must-see: conversations | same-as-direct
\dv care.*
-- case: di | db: care | role: quality | must-see: orders_customer | same-as-direct
\di care.*
-- case: ds | db: care | role: quality | must-see: customers_customer_id_seq | same-as-direct
\ds care.*
-- case: df | db: care | role: support_app | must-see: euros | same-as-direct
\df care.*
-- case: df-none | db: care | role: support_app | same-as-direct
\df
-- case: dn | db: care | role: support_app | must-see: care *\| care_owner | same-as-direct
\dn
-- case: dn-plus | db: care | role: support_app | must-see: Customer care | same-as-direct
\dn+
-- case: du | db: care | role: support_app | must-see: marketing_app | same-as-direct
\du
-- case: l | db: care | role: support_app | must-see: chinook | same-as-direct
\l
-- case: dT | db: care | role: support_app | same-as-direct
\dT care.*
-- case: dp | db: care | role: support_app | must-see: support_app=arwd | same-as-direct
\dp care.customers
-- case: dx | db: care | role: support_app | must-see: plpgsql | same-as-direct
\dx
-- case: conninfo | db: care | role: support_app | must-see: as user "support_app"|support_app
\conninfo
-- case: chinook-d | db: chinook | role: support_app | must-see: playlist_track | same-as-direct
\d
-- case: chinook-d-customer | db: chinook | role: support_app | must-see: customer_support_rep_id_fkey | same-as-direct
\d customer
-- case: chinook-dt | db: chinook | role: quality | must-see: invoice_line | same-as-direct
\dt

-- ===== queries
-- case: join | db: care | role: support_app | must-see: Ada Lindqvist \| +[0-9]+ | same-as-direct
SELECT c.full_name, count(*) FROM care.customers c JOIN care.orders o ON o.customer_id = c.customer_id
WHERE c.customer_id <= 3 GROUP BY c.full_name ORDER BY 1;
-- case: join-masked | db: care | role: quality | purpose: care.quality | must-see: A\*{12} \| a\*+@example\.net
SELECT c.full_name, c.email, a.full_name AS answered_by, i.subject
FROM care.interactions i JOIN care.customers c USING (customer_id) LEFT JOIN care.agents a USING (agent_id)
WHERE c.customer_id = 1 ORDER BY i.started_at LIMIT 3;
-- case: star | db: care | role: quality | purpose: care.quality | must-see: customer_id \| +full_name +\| +email +\| +phone +\| +city | must-see: 1979-01-01
SELECT * FROM care.customers WHERE customer_id = 1;
-- case: expanded | db: care | role: quality | purpose: care.quality | must-see: birth_date  \| 1979-01-01
\x
SELECT * FROM care.customers WHERE customer_id = 1;
-- case: view | db: care | role: quality | purpose: care.quality | must-see: \| A\*{12} +\| a\*+@example\.net
SELECT * FROM care.customer_overview WHERE customer_id = 1;
-- case: sub-query-and-cte | db: care | role: support_app | same-as-direct | must-see: \(3 rows\)
WITH busy AS (SELECT customer_id, count(*) AS n FROM care.interactions GROUP BY customer_id)
SELECT c.customer_id, c.full_name, b.n FROM care.customers c JOIN busy b USING (customer_id)
WHERE EXISTS (SELECT FROM care.orders o WHERE o.customer_id = c.customer_id) ORDER BY b.n DESC, 1 LIMIT 3;
-- case: window | db: care | role: support_app | same-as-direct
SELECT customer_id, ordered_at::date AS day, sum(amount_cents) OVER (PARTITION BY customer_id ORDER BY ordered_at) AS so_far
FROM care.orders WHERE customer_id <= 2 ORDER BY 1, ordered_at;
-- case: allowed-function | db: care | role: support_app | must-see: [0-9,]+\.[0-9]{2} EUR | same-as-direct
SELECT care.euros(sum(amount_cents)::int) FROM care.orders WHERE customer_id = 1;
-- case: chinook-join | db: chinook | role: support_app | must-see: Rock | same-as-direct
SELECT g.name, count(*) FROM track t JOIN genre g USING (genre_id) JOIN album a USING (album_id) GROUP BY g.name ORDER BY 2 DESC, 1 LIMIT 5;
-- case: chinook-masked | db: chinook | role: quality | purpose: care.quality | must-see: L\*\*\* .*l\*+@embraer\.com\.br
SELECT c.first_name, c.email, sum(l.quantity) FROM customer c JOIN invoice i USING (customer_id) JOIN invoice_line l USING (invoice_id)
WHERE c.customer_id = 1 GROUP BY c.first_name, c.email;
-- case: chinook-hidden | db: chinook | role: marketing_app | purpose: marketing | must-see: \|  *\| Brazil
SELECT first_name, email, country FROM customer ORDER BY country = 'Brazil' DESC LIMIT 1;
-- case: prepare-execute | db: care | role: support_app | must-see: Chidi Okafor
PREPARE one (int) AS SELECT full_name FROM care.customers WHERE customer_id = $1;
EXECUTE one (3);
DEALLOCATE one;
-- case: gexec-and-variables | db: care | role: support_app | must-see: Farah Khan
SELECT 6 AS who \gset
SELECT full_name FROM care.customers WHERE customer_id = :who;
-- case: explain | db: care | role: support_app | fails | must-see: ERROR
EXPLAIN SELECT email FROM care.customers;
-- case: copy | db: care | role: quality | purpose: care.quality | must-see: ^1,A\*{12}$
\copy (SELECT customer_id, full_name FROM care.customers WHERE customer_id = 1) TO pstdout WITH (FORMAT csv)

-- ===== transactions
-- case: transaction | db: care | role: support_app | must-see: UPDATE 1 | must-see: Turku | must-see: Uppsala
BEGIN;
UPDATE care.customers SET city = 'Turku' WHERE customer_id = 1;
SELECT city FROM care.customers WHERE customer_id = 1;
ROLLBACK;
SELECT city FROM care.customers WHERE customer_id = 1;
-- case: savepoint | db: care | role: support_app | must-see: INSERT 0 1 | must-see: (?s)ROLLBACK.* 0\n | must-see: COMMIT
BEGIN;
SAVEPOINT a;
INSERT INTO care.consents (customer_id, purpose, status) VALUES (8, 'research', 'refused');
ROLLBACK TO a;
SELECT count(*) FROM care.consents WHERE customer_id = 8;
COMMIT;
-- case: chinook-transaction | db: chinook | role: support_app | must-see: UPDATE 1 | must-see: Embraer | must-see: ROLLBACK
BEGIN;
UPDATE customer SET company = 'Elsewhere' WHERE customer_id = 1;
ROLLBACK;
SELECT company FROM customer WHERE customer_id = 1;
-- case: cursor | db: care | role: quality | purpose: care.quality | must-see: c\*+@example\.com | must-see: CLOSE CURSOR
BEGIN;
DECLARE c CURSOR FOR SELECT email FROM care.customers WHERE customer_id < 5 ORDER BY customer_id;
FETCH 2 FROM c;
CLOSE c;
COMMIT;
-- case: refusal-in-a-transaction | db: care | role: support_app | fails | must-see: purpose_prohibited | must-see: current transaction is aborted | must-see: ^ *1$
BEGIN;
SELECT email FROM care.customers WHERE customer_id = 1 /*purpose='sale'*/;
SELECT 1;
ROLLBACK;
SELECT 1;

-- ===== a script in one message
-- case: script-of-temporary-tables | db: care | role: support_app | same-as-direct | must-see: ^ a +\| +1$
CREATE TEMP TABLE found (id serial PRIMARY KEY, word text) \; INSERT INTO found (word) VALUES ('a'), ('b') \;
CREATE TEMP VIEW few AS SELECT word FROM found WHERE id = 1 \; CREATE INDEX ON found (word) \;
CREATE TEMP TABLE counted AS SELECT word, count(*)::int AS n FROM found GROUP BY word \;
SELECT word, n FROM few JOIN counted USING (word) \; TRUNCATE counted \; DROP TABLE counted;
SELECT * FROM found ORDER BY id;
-- case: script-shadows-a-table | db: care | role: support_app | same-as-direct | must-see: ^ +7$ | must-see: Ada Lindqvist
SET search_path = care;
CREATE TEMP TABLE customers (customer_id int) \; INSERT INTO customers VALUES (7) \; SELECT * FROM customers \;
DROP TABLE pg_temp.customers \; SELECT full_name FROM customers WHERE customer_id = 1;
CREATE TEMP TABLE customers AS SELECT 7 AS customer_id \; SELECT * FROM customers \; DISCARD TEMP \; SELECT full_name FROM customers WHERE customer_id = 1;
BEGIN \; CREATE TEMP TABLE customers (customer_id int) \; ROLLBACK \; SELECT full_name FROM customers WHERE customer_id = 1;
-- case: nothing-protected-goes-into-a-table-of-the-script | db: care | role: support_app | fails | must-see: \(classification_downgrade\)
CREATE TEMP TABLE names (n text) \; INSERT INTO names SELECT full_name FROM care.customers \; SELECT * FROM names;
-- case: nothing-is-dropped-under-a-former-name | db: care | role: support_app | fails | must-see: (?s)(statement_not_allowed.*){5}Ada Lindqvist
SET search_path = care;
CREATE TEMP TABLE consents (id int);
DROP TABLE pg_temp.consents \; TRUNCATE consents;
DISCARD TEMP \; DROP TABLE consents;
DROP TABLE pg_temp.consents;
BEGIN; CREATE TEMP TABLE consents (id int) ON COMMIT DROP;
COMMIT \; TRUNCATE consents;
ROLLBACK;
BEGIN \; CREATE TEMP TABLE consents (id int) \; ROLLBACK \; TRUNCATE consents;
BEGIN \; CREATE TEMP TABLE consents (id int) \; ROLLBACK \; CREATE INDEX ON consents (id);
SELECT full_name FROM customers WHERE customer_id = 1;

-- ===== settings
-- case: show-purpose | db: care | role: support_app | purpose: fraud | must-see: ^ *fraud$
SHOW pgpurpose.purpose;
-- case: show-policy | db: care | role: support_app | must-see: 2026-11-24
SHOW pgpurpose.policy;
-- case: purpose-after-reset | db: care | role: support_app | must-see: ada\.lindqvist@example\.net
SET pgpurpose.purpose = 'nothing';
RESET pgpurpose.purpose;
SELECT email FROM care.customers WHERE customer_id = 1;
-- case: bad-purpose-does-not-fall-back | db: care | role: support_app | fails | must-see: \(purpose_unknown\)
SET pgpurpose.purpose = 'nothing';
SELECT email FROM care.customers WHERE customer_id = 1;
-- case: position-of-an-error | db: care | role: support_app | fails | must-see: ^LINE 1: SELECT nothing FROM care.customers;\n {15}\^$ | same-as-direct
SELECT nothing FROM care.customers;
-- case: syntax-error | db: care | role: support_app | fails | must-see: syntax error at or near "FROM" | same-as-direct
SELECT 1 FROM FROM x;
