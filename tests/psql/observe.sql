-- mode: observe: what the rules would make of a statement is recorded, and the statement runs as it came. Played by
-- run.py with rules/customer-care.yaml, its mode changed; the header is explained in cases.sql.

-- case: masked | role: quality | purpose: care.quality | same-as-direct | audit: "mode":"observe","outcome":"filter","code":null.*"form":"email"
SELECT full_name, email, birth_date, health_note FROM care.customers ORDER BY customer_id;
-- case: no-purpose | role: quality | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"purpose_missing"
SELECT email FROM care.customers WHERE customer_id < 9 ORDER BY 1;
-- case: prohibited | role: marketing_app | purpose: sale | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"purpose_prohibited"
SELECT email FROM care.customers WHERE customer_id = 1;
-- case: not-a-statistic | role: analytics | purpose: service_improvement | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"aggregate_required"
SELECT full_name FROM care.customers WHERE customer_id = 1;
-- case: small-groups | role: analytics | purpose: service_improvement | same-as-direct | audit: "mode":"observe","outcome":"filter".*min_group_size
SELECT region, count(*) FROM care.customers GROUP BY region ORDER BY 1;
-- case: column-refused | role: quality | purpose: care.quality | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"column_refused"
SELECT device_id FROM care.customers ORDER BY 1;
-- case: more-than-max-rows | role: quality | purpose: care.quality | same-as-direct
SELECT customer_id FROM care.customers ORDER BY 1;
-- case: one-subject | role: portal | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"subject_missing"
SELECT full_name FROM care.customers ORDER BY customer_id LIMIT 3;
-- case: write | role: marketing_app | purpose: marketing | must-see: UPDATE 1 | audit: "mode":"observe","outcome":"refuse","code":"write_not_allowed"
BEGIN; UPDATE care.customers SET language = 'xx' WHERE customer_id = 1; ROLLBACK;
-- case: child | role: support_app | must-see: INSERT 0 1
BEGIN; INSERT INTO care.customers (full_name, email, birth_date) VALUES ('Too Young', 'too.young@example.org', current_date - 2000); ROLLBACK;
-- case: ddl | role: dba | must-see: CREATE TABLE | audit: "mode":"observe","outcome":"refuse","code":"(statement_not_allowed|purpose_missing)"
BEGIN; SET LOCAL search_path = pg_temp; CREATE TEMP TABLE observed (a integer); ROLLBACK;
-- case: explain | role: quality | purpose: care.quality | same-as-direct | audit: "mode":"observe","outcome":"refuse","code":"statement_not_allowed"
EXPLAIN (COSTS off) SELECT email FROM care.customers;
-- case: copy | role: quality | purpose: care.quality | same-as-direct | audit: "mode":"observe","outcome":"filter"
COPY care.customers TO STDOUT;
-- case: view | role: quality | purpose: care.quality | same-as-direct | audit: "mode":"observe"
SELECT mail, person FROM care.conversations WHERE interaction < 20 ORDER BY 1;
-- case: prepared | role: support_app | same-as-direct
PREPARE p AS SELECT device_id FROM care.customers WHERE customer_id = $1; EXECUTE p(1); SET pgpurpose.purpose = 'fraud'; EXECUTE p(1);
-- case: cursor-under-another-purpose | role: support_app | same-as-direct
BEGIN; DECLARE c CURSOR FOR SELECT device_id FROM care.customers ORDER BY 1; SET pgpurpose.purpose = 'fraud'; FETCH 3 FROM c; COMMIT;
-- case: a-role-without-an-entry | role: care_reader | same-as-direct | audit: "role":"care_reader".*"mode":"observe","outcome":"refuse","code":"purpose_
SELECT 1 + count(*) FROM care.products;
-- case: settings | role: support_app | must-see: care\.support
SHOW pgpurpose.purpose;

-- ===== refused however the rules read
-- case: function | role: support_app | fails | must-see: \(function_not_allowed\)
SELECT query_to_xml('SELECT 1', true, true, '');
-- case: function-without-a-purpose | role: quality | fails | must-see: \((function_not_allowed|purpose_missing)\)
SELECT pg_read_file('/etc/passwd');
-- case: function-in-a-refused-statement | role: quality | purpose: care.quality | fails | must-see: \(function_not_allowed\)
SELECT device_id, pg_ls_dir('/') FROM care.customers;
-- case: do | role: support_app | fails | must-see: \(statement_not_allowed\)
DO $$ BEGIN END $$;
-- case: do-without-a-purpose | role: quality | fails | must-see: \((statement_not_allowed|purpose_missing)\)
DO $$ BEGIN END $$;
-- case: statistics | role: support_app | fails
SELECT most_common_vals FROM pg_stats;
-- case: set-role | role: dba | fails | must-see: \(statement_not_allowed\)
SET ROLE care_owner;
