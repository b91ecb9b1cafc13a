-- What clients do in a soak, drawn by weight. `how` is a method of run.py's Client; `purpose` and a `reason` are added.
-- `outcome` is what the audit is to say; left out: allow, filter or mask. `must-not-see` is looked for in every byte of rows.
-- case: one person | weight: 20 | user: support_app | how: plain | purpose: care.support | must-see: Ada Lindqvist
SELECT full_name, email, health_note FROM care.customers WHERE customer_id = 1
-- case: masked | weight: 20 | user: quality | how: plain | purpose: care.quality | must-see: A\*+ | must-not-see: Lindqvist
SELECT * FROM (SELECT customer_id, full_name, email, phone, birth_date FROM care.customers) c ORDER BY customer_id LIMIT 20
-- case: joined | weight: 5 | user: support_app | how: plain | purpose: care.support
SELECT c.full_name, count(*) FROM care.customers c JOIN care.orders o USING (customer_id) WHERE c.customer_id < 50 GROUP BY 1 ORDER BY 2 DESC
-- case: a text never seen before | weight: 5 | user: support_app | how: unlike | purpose: care.support
SELECT customer_id AS {} FROM care.customers WHERE customer_id = 2
-- case: statistics | weight: 3 | user: analytics | how: plain | purpose: service_improvement
SELECT region, count(*) FROM care.customers GROUP BY region
-- case: consent | weight: 3 | user: marketing_app | how: plain | purpose: marketing | must-not-see: lindqvist@
SELECT full_name, email FROM care.customers LIMIT 50
-- case: prepared | weight: 25 | user: support_app | how: prepared | purpose: care.support | must-see: Ada Lindqvist
SELECT full_name FROM care.customers WHERE customer_id = $1
-- case: prepared and masked | weight: 10 | user: quality | how: prepared | purpose: care.quality | must-not-see: Lindqvist
SELECT full_name FROM care.customers WHERE customer_id >= $1 ORDER BY customer_id LIMIT 10
-- case: a pipeline | weight: 5 | user: support_app | how: pipeline | purpose: care.support
SELECT customer_id FROM care.orders WHERE customer_id = $1
-- case: no such purpose | weight: 5 | user: support_app | how: plain | purpose: marketing | outcome: refuse | code: purpose_not_granted
SELECT email FROM care.customers
-- case: a refused column | weight: 5 | user: quality | how: plain | purpose: care.quality | outcome: refuse | code: column_refused
SELECT device_id FROM care.customers
-- case: not SQL | weight: 2 | user: support_app | how: unreadable | purpose: care.support | sqlstate: 42601
SELEKT email FROM care.customers
-- case: fails in the server | weight: 3 | user: support_app | how: plain | purpose: care.support | sqlstate: 22012
SELECT 1 / (customer_id - customer_id) FROM care.customers
-- case: a transaction | weight: 3 | user: support_app | how: transaction | purpose: care.support
INSERT INTO care.orders (customer_id, product_id, quantity, amount_cents, ordered_at) VALUES (2, 1, 1, 100, now()) RETURNING order_id
-- case: copied out | weight: 2 | user: quality | how: plain | purpose: care.quality | must-not-see: Lindqvist
COPY (SELECT customer_id, full_name, email FROM care.customers ORDER BY customer_id LIMIT 200) TO STDOUT
-- case: copied in | weight: 2 | user: support_app | how: copy_in | purpose: care.support
COPY care.soak_copied FROM STDIN
-- case: what was copied in | weight: 1 | user: support_app | how: plain | purpose: care.support
DELETE FROM care.soak_copied
-- case: deleted again | weight: 1 | user: support_app | how: plain | purpose: care.support
DELETE FROM care.orders WHERE order_id > 100000
-- case: cancelled | weight: 1 | user: support_app | how: cancelled | purpose: care.support
SELECT count(*) FROM generate_series(1, 1000000000)
-- case: a large result, late | weight: 1 | user: support_app | how: late | purpose: care.support
SELECT repeat('x', 10000) FROM generate_series(1, 1000)
-- case: gone within a result | weight: 1 | user: support_app | how: gone_reading | purpose: care.support
SELECT repeat('x', 10000) FROM generate_series(1, 10000)
-- case: gone before the result | weight: 1 | user: support_app | how: gone_waiting | purpose: care.support
SELECT count(*) FROM generate_series(1, 200000)
-- case: broken off | weight: 2 | user: support_app | how: broken
SELECT 1
