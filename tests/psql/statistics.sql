-- Aggregate-only purposes (service_improvement: ten people or more), in every shape that is served; played by run.py.
-- Behind `-- as`: the same in plain SQL over statistics-setup.sql.

-- case: groups | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
SELECT region, count(*) FROM care.customers GROUP BY region ORDER BY region;
-- as
SELECT region, count(*) FROM counted.customers GROUP BY region HAVING count(DISTINCT customer_id) >= 10 ORDER BY region;
-- case: no-group-is-too-small | role: analytics | purpose: service_improvement | audit: "groups_left_out":0\b
SELECT product_id, sum(quantity) FROM care.orders GROUP BY product_id ORDER BY 2 DESC, 1;
-- as
SELECT product_id, sum(quantity) FROM counted.orders GROUP BY product_id ORDER BY 2 DESC, 1;
-- case: all-groups-are-too-small | role: analytics | purpose: service_improvement | must-see: \(0 rows\) | audit: "rows":0,.*"groups_left_out":4\b
SELECT product_id, count(*) FROM care.orders WHERE order_id < 5 GROUP BY product_id;
-- case: a-whole-that-is-too-small | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
SELECT count(*), sum(amount_cents) FROM care.orders WHERE order_id < 5;
-- as
SELECT NULL::bigint AS count, NULL::bigint AS sum;
-- case: a-whole | role: analytics | purpose: service_improvement | audit: "groups_left_out":0\b
SELECT count(*), sum(amount_cents) FROM care.orders;
-- as
SELECT count(*), sum(amount_cents) FROM counted.orders;
-- case: a-whole-with-having | role: analytics | purpose: service_improvement | must-see: \(0 rows\)
SELECT count(*) FROM care.orders HAVING count(*) < 100;
-- case: a-whole-with-having-that-holds | role: analytics | purpose: service_improvement
SELECT count(*) FROM care.orders HAVING count(*) > 100;
-- as
SELECT count(*) FROM counted.orders;
-- case: a-limit-and-an-order | role: analytics | purpose: service_improvement
SELECT region, avg(amount_cents) FROM care.orders JOIN care.customers USING (customer_id) GROUP BY region HAVING count(*) > 500 ORDER BY avg(amount_cents) DESC LIMIT 2 OFFSET 1;
-- as
SELECT region, avg(amount_cents) FROM counted.orders JOIN counted.customers USING (customer_id) GROUP BY region HAVING count(*) > 500 AND count(DISTINCT customer_id) >= 10 ORDER BY avg(amount_cents) DESC LIMIT 2 OFFSET 1;
-- case: filter | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
SELECT region, count(*) FILTER (WHERE amount_cents >= 5000) AS large, count(*) FROM care.orders o JOIN care.customers c ON c.customer_id = o.customer_id GROUP BY region ORDER BY region;
-- as
SELECT region, count(*) FILTER (WHERE amount_cents >= 5000) AS large, count(*) FROM counted.orders o JOIN counted.customers c ON c.customer_id = o.customer_id GROUP BY region HAVING count(DISTINCT o.customer_id) FILTER (WHERE amount_cents >= 5000) >= 10 ORDER BY region;
-- case: filter-of-too-few | role: analytics | purpose: service_improvement | must-see: \(0 rows\)
SELECT region, count(*) FILTER (WHERE o.order_id < 10) FROM care.orders o JOIN care.customers USING (customer_id) GROUP BY region;
-- case: filter-with-a-function | role: analytics | purpose: service_improvement
SELECT count(*) FILTER (WHERE ordered_at < now() AND amount_cents IS NOT NULL) FROM care.orders;
-- as
SELECT count(*) FROM counted.orders WHERE ordered_at < now();
-- case: sub-query | role: analytics | purpose: service_improvement | audit: "groups_left_out":0\b
SELECT region, count(*) FROM (SELECT region, language FROM care.customers WHERE language = 'en') AS people GROUP BY region ORDER BY 1;
-- as
SELECT region, count(*) FROM counted.customers WHERE language = 'en' GROUP BY region HAVING count(*) >= 10 ORDER BY 1;
-- case: sub-query-with-a-star | role: analytics | purpose: service_improvement
SELECT region, count(*) FROM (SELECT * FROM care.customers) AS people GROUP BY 1 ORDER BY 1;
-- as
SELECT region, count(*) FROM counted.customers GROUP BY region HAVING count(*) >= 10 ORDER BY 1;
-- case: sub-query-in-a-sub-query | role: analytics | purpose: service_improvement
SELECT count(*) FROM (SELECT * FROM (SELECT c.*, o.product_id FROM care.customers c JOIN care.orders o USING (customer_id)) AS a) AS b WHERE product_id IN (1, 2);
-- as
SELECT count(*) FROM counted.orders WHERE product_id IN (1, 2);
-- case: sub-query-joined | role: analytics | purpose: service_improvement
SELECT p.name, count(*) FROM (SELECT product_id AS id FROM care.orders) AS o JOIN care.products p ON p.product_id = o.id GROUP BY p.name ORDER BY 2, 1;
-- as
SELECT p.name, count(*) FROM counted.orders JOIN care.products p USING (product_id) GROUP BY p.name ORDER BY 2, 1;
-- case: sub-query-with-new-names | role: analytics | purpose: service_improvement
SELECT r, count(*) FROM (SELECT region, language FROM care.customers) AS people(r, l) WHERE l = 'de' GROUP BY r ORDER BY 1;
-- as
SELECT region AS r, count(*) FROM counted.customers WHERE language = 'de' GROUP BY region HAVING count(*) >= 10 ORDER BY 1;
-- case: sub-query-by-month | role: analytics | purpose: service_improvement
SELECT month, sum(cents) FROM (SELECT date_trunc('month', ordered_at) AS month, amount_cents AS cents FROM care.orders) AS o GROUP BY month ORDER BY month LIMIT 3;
-- as
SELECT date_trunc('month', ordered_at) AS month, sum(amount_cents) FROM counted.orders GROUP BY 1 HAVING count(DISTINCT customer_id) >= 10 ORDER BY 1 LIMIT 3;
-- case: one-row-for-each-person | role: analytics | purpose: service_improvement
SELECT orders, count(*), avg(cents) FROM (SELECT customer_id, count(*) AS orders, sum(amount_cents) AS cents FROM care.orders GROUP BY customer_id) AS each GROUP BY orders ORDER BY orders;
-- as
SELECT orders, count(*), avg(cents) FROM (SELECT count(*) AS orders, sum(amount_cents) AS cents FROM counted.orders GROUP BY customer_id) AS each GROUP BY orders HAVING count(*) >= 10 ORDER BY orders;
-- case: one-row-for-each-person-of-few | role: analytics | purpose: service_improvement
SELECT avg(n), count(*) FROM (SELECT customer_id, count(*) AS n FROM care.orders WHERE order_id < 6 GROUP BY 1) AS each;
-- as
SELECT NULL::numeric AS avg, NULL::bigint AS count;
-- case: with | role: analytics | purpose: service_improvement | audit: "groups_left_out":0\b
WITH english AS (SELECT region FROM care.customers WHERE language = 'en') SELECT region, count(*) FROM english GROUP BY region ORDER BY region;
-- as
SELECT region, count(*) FROM counted.customers WHERE language = 'en' GROUP BY region HAVING count(*) >= 10 ORDER BY 1;
-- case: with-a-whole | role: analytics | purpose: service_improvement
WITH o AS MATERIALIZED (SELECT product_id, amount_cents FROM care.orders), c(l) AS (SELECT language FROM care.customers) SELECT count(*), sum(amount_cents) FROM o WHERE product_id = 3;
-- as
SELECT count(*), sum(amount_cents) FROM counted.orders WHERE product_id = 3;
-- case: with-a-statistic | role: analytics | purpose: service_improvement | audit: "groups_left_out":null
WITH by_region AS (SELECT region, count(*) AS n FROM care.customers GROUP BY region), total AS (SELECT sum(n) AS all FROM by_region) SELECT region, round(100 * n / total.all) AS share FROM by_region, total ORDER BY region;
-- as
WITH r AS (SELECT region, count(*) AS n FROM counted.customers GROUP BY region HAVING count(*) >= 10) SELECT region, round(100 * n / (SELECT sum(n) FROM r)) AS share FROM r ORDER BY region;
-- case: a-statistic-of-statistics | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
SELECT max(n), min(region) FROM (SELECT region, count(*) AS n FROM care.customers GROUP BY region) AS s WHERE 1000 / n < 9;
-- as
SELECT max(n), min(region) FROM (SELECT region, count(*) AS n FROM counted.customers GROUP BY region HAVING count(*) >= 10) AS s WHERE 1000 / n < 9;
-- case: what-reads-a-statistic-sees-no-small-group | role: analytics | purpose: service_improvement | must-see: \(4 rows\)
SELECT region, 1 / (n - 1) FROM (SELECT region, count(*) AS n FROM care.customers GROUP BY region) AS s WHERE 1 / (n - 1) >= 0;
-- case: statistics-united | role: analytics | purpose: service_improvement | audit: "groups_left_out":2\b
SELECT 'customers' AS what, count(*) AS n FROM care.customers UNION ALL SELECT 'orders', count(*) FROM care.orders UNION ALL SELECT 'few', count(*) FROM care.orders WHERE order_id < 5 UNION ALL SELECT 'fewer', count(*) FROM care.orders WHERE order_id < 3 ORDER BY n, what;
-- as
SELECT 'customers' AS what, count(*) AS n FROM counted.customers UNION ALL SELECT 'orders', count(*) FROM counted.orders UNION ALL SELECT NULL, NULL UNION ALL SELECT NULL, NULL ORDER BY n, what;
-- case: groups-united | role: analytics | purpose: service_improvement
(SELECT region FROM care.customers GROUP BY region ORDER BY 1 LIMIT 2) UNION SELECT language FROM care.customers GROUP BY language EXCEPT SELECT 'en' ORDER BY 1;
-- as
(SELECT region FROM counted.customers GROUP BY region HAVING count(*) >= 10 ORDER BY 1 LIMIT 2) UNION SELECT language FROM counted.customers GROUP BY language HAVING count(*) >= 10 EXCEPT SELECT 'en' ORDER BY 1;
-- case: people-united | role: analytics | purpose: service_improvement
SELECT kind, count(*) FROM (SELECT 'order' AS kind, customer_id FROM care.orders UNION ALL SELECT 'call', customer_id FROM care.interactions WHERE channel = 'call') AS u GROUP BY kind ORDER BY kind;
-- as
SELECT 'call' AS kind, count(*) FROM counted.interactions WHERE channel = 'call' UNION ALL SELECT 'order', count(*) FROM counted.orders ORDER BY kind;
-- case: a-statistic-in-an-expression | role: analytics | purpose: service_improvement | audit: "groups_left_out":null
SELECT (SELECT count(*) FROM care.customers) AS customers, p.name, (SELECT count(*) FROM care.orders o WHERE o.product_id = p.product_id) FROM care.products p ORDER BY p.name;
-- as
SELECT (SELECT count(*) FROM counted.customers) AS customers, p.name, (SELECT count(*) FROM counted.orders o WHERE o.product_id = p.product_id) FROM care.products p ORDER BY p.name;
-- case: above-average | role: analytics | purpose: service_improvement
SELECT count(*) FROM care.orders WHERE amount_cents > (SELECT avg(amount_cents) FROM care.orders);
-- as
SELECT count(*) FROM counted.orders WHERE amount_cents > (SELECT avg(amount_cents) FROM counted.orders);
-- case: who-has | role: analytics | purpose: service_improvement
SELECT region, count(*) FROM care.customers c WHERE EXISTS (SELECT 1 FROM care.orders o WHERE o.customer_id = c.customer_id AND o.product_id = 4) AND customer_id IN (SELECT customer_id FROM care.interactions WHERE channel = 'chat') GROUP BY region ORDER BY region;
-- as
SELECT region, count(*) FROM counted.customers c WHERE EXISTS (SELECT 1 FROM counted.orders o WHERE o.customer_id = c.customer_id AND o.product_id = 4) AND customer_id IN (SELECT customer_id FROM counted.interactions WHERE channel = 'chat') GROUP BY region HAVING count(*) >= 10 ORDER BY region;
-- case: of-listed-products | role: analytics | purpose: service_improvement
SELECT count(*) FROM care.orders WHERE product_id IN (SELECT product_id FROM care.products WHERE product_id < 4);
-- as
SELECT count(*) FROM counted.orders WHERE product_id < 4;
-- case: a-view | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
SELECT region, sum(amount_cents) FROM care.sales GROUP BY region ORDER BY region;
-- as
SELECT region, sum(amount_cents) FROM counted.orders JOIN counted.customers USING (customer_id) GROUP BY region HAVING count(DISTINCT customer_id) >= 10 ORDER BY region;
-- case: a-view-of-months | role: analytics | purpose: service_improvement
SELECT month, sum(amount_cents) FROM care.months GROUP BY month ORDER BY month LIMIT 4;
-- as
SELECT date_trunc('month', ordered_at) AS month, sum(amount_cents) FROM counted.orders JOIN counted.customers USING (customer_id) WHERE region = 'ch' GROUP BY 1 HAVING count(DISTINCT customer_id) >= 10 ORDER BY 1 LIMIT 4;
-- case: a-view-of-statistics | role: analytics | purpose: service_improvement | audit: "groups_left_out":null
SELECT region, orders, cents / orders AS mean FROM care.sales_by_region WHERE cents / (orders - 1) > 0 ORDER BY region;
-- as
SELECT region, count(*) AS orders, sum(amount_cents) / count(*) AS mean FROM counted.orders JOIN counted.customers USING (customer_id) GROUP BY region HAVING count(DISTINCT customer_id) >= 10 ORDER BY region;
-- case: a-cursor | role: analytics | purpose: service_improvement | audit: "rows":2,.*"groups_left_out":1\b | audit: "rows":2,.*"groups_left_out":0\b
BEGIN; DECLARE c CURSOR FOR SELECT region, count(*) FROM care.customers GROUP BY region ORDER BY region; FETCH 2 FROM c; FETCH ALL FROM c; CLOSE c; COMMIT;
-- as
BEGIN; DECLARE c CURSOR FOR SELECT region, count(*) FROM counted.customers GROUP BY region HAVING count(*) >= 10 ORDER BY region; FETCH 2 FROM c; FETCH ALL FROM c; CLOSE c; COMMIT;
-- case: a-copy | role: analytics | purpose: service_improvement | audit: "groups_left_out":1\b
COPY (SELECT region, count(*) FROM care.customers GROUP BY region ORDER BY region) TO STDOUT WITH (FORMAT csv, HEADER);
-- as
COPY (SELECT region, count(*) FROM counted.customers GROUP BY region HAVING count(*) >= 10 ORDER BY region) TO STDOUT WITH (FORMAT csv, HEADER);
-- case: prepared | role: analytics | purpose: service_improvement | audit: "groups_left_out":4\b
PREPARE q(int) AS SELECT product_id, count(*) FROM care.orders WHERE order_id < $1 GROUP BY product_id ORDER BY 1; EXECUTE q(5); EXECUTE q(1000000);
-- as
PREPARE q AS SELECT product_id, count(*) FROM care.orders WHERE false GROUP BY product_id; EXECUTE q; SELECT product_id, count(*) FROM counted.orders GROUP BY product_id ORDER BY 1;
-- case: notices-that-nobody-hears-are-not-counted | role: analytics | purpose: service_improvement | audit: "rows":4,.*"groups_left_out":null
SET client_min_messages = warning; SELECT region, count(*) FROM care.customers GROUP BY region;
-- case: notices-heard-again | role: analytics | purpose: service_improvement | audit: "rows":4,.*"groups_left_out":1\b | must-not-see: NOTICE
BEGIN; SET client_min_messages = error; ROLLBACK; SELECT region, count(*) FROM care.customers GROUP BY region;
-- case: no-filter-within-a-persons-row | role: analytics | purpose: service_improvement | fails | must-see: \(aggregate_required\)
SELECT sum(x) FROM (SELECT customer_id, count(*) FILTER (WHERE order_id = 5 AND amount_cents > 20000) AS x FROM care.orders GROUP BY customer_id) u;
-- case: no-constant-in-a-branch | role: analytics | purpose: service_improvement | fails | must-see: \(aggregate_required\)
SELECT sum(x) FROM (SELECT amount_cents AS x FROM care.orders WHERE order_id = 5 UNION ALL SELECT 0 FROM care.orders) u;
-- case: no-error-for-one-row | role: analytics | purpose: service_improvement | fails | must-see: \(aggregate_required\) | must-not-see: division
SELECT sum(v.z) FROM care.orders o JOIN (SELECT product_id, 1 / (product_id - product_id) AS z FROM care.products) v USING (product_id) WHERE o.order_id = 5 AND o.amount_cents < 1000000;
