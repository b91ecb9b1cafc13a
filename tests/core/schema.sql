-- What lies behind the cases of this folder. Rows that marketing may not see hold values that break
-- any expression that touches them: `code` is a number in visible rows only.
SET client_min_messages = warning;
CREATE EXTENSION citext;
CREATE ROLE app LOGIN;
GRANT ALL ON SCHEMA public TO app;
CREATE SCHEMA evil AUTHORIZATION app;
SET ROLE app;
CREATE TYPE mood AS ENUM ('calm', 'cross', 'glad');
CREATE DOMAIN short_text AS text;
CREATE TABLE customers (
  id int PRIMARY KEY, full_name text, email text, birth_date date, health_note text,
  region text, code text, mood mood, nick short_text, props jsonb, consented bool, created_at timestamp);
INSERT INTO customers
SELECT i, 'Name ' || i, 'user' || i || '@mail.example', date '1960-02-03' + i * 400, 'HEALTH-' || i,
       (ARRAY['north', 'south', 'east'])[1 + i % 3],
       CASE WHEN i % 4 = 0 THEN 'POISON-' || i ELSE (i * 10)::text END,
       (ARRAY['calm', 'cross', 'glad'])[1 + i % 3]::mood, 'nick' || i,
       CASE WHEN i % 4 = 0 THEN '{"n": "POISON"}'::jsonb ELSE jsonb_build_object('n', i, 'tags', ARRAY['a', 'b']) END,
       i % 4 <> 0, timestamp '2024-01-01 10:00' + i * interval '1 hour'
FROM generate_series(1, 12) i;
CREATE INDEX ON customers (region);
CREATE TABLE customers_archive (archived_on date) INHERITS (customers);
INSERT INTO customers_archive
SELECT 100 + i, 'Old ' || i, 'old' || i || '@mail.example', date '1950-01-01', 'HEALTH-OLD', 'west',
       CASE WHEN i = 2 THEN 'POISON-OLD' ELSE '7' END, 'calm', 'o', '{}', i <> 2, timestamp '2020-01-01', date '2021-01-01'
FROM generate_series(1, 3) i;
CREATE TABLE consents (customer_id int, purpose text, granted bool);
INSERT INTO consents SELECT id, 'marketing', consented FROM ONLY customers;
CREATE TABLE orders (order_id int PRIMARY KEY, customer_id int, total int, memo text);
INSERT INTO orders SELECT i, i, i * 5, CASE WHEN i % 4 = 0 THEN 'POISON' ELSE i::text END FROM generate_series(1, 12) i;
CREATE TABLE tickets (id int PRIMARY KEY, customer_id int, subject text, secret text, state text, open bool DEFAULT true);
INSERT INTO tickets
SELECT i, i, CASE WHEN i % 3 = 0 THEN 'POISON' ELSE i::text END, 'SECRET-' || i, 'new', i % 3 <> 0
FROM generate_series(1, 9) i;
CREATE TABLE events (day date, region text, note text, shown bool, PRIMARY KEY (region, day)) PARTITION BY LIST (region);
CREATE TABLE events_north PARTITION OF events FOR VALUES IN ('north');
CREATE TABLE events_rest PARTITION OF events DEFAULT;
INSERT INTO events SELECT date '2024-01-01' + i, (ARRAY['north', 'south'])[1 + i % 2],
  CASE WHEN i % 5 = 0 THEN 'POISON' ELSE i::text END, i % 5 <> 0 FROM generate_series(1, 10) i;
CREATE TABLE products (sku text PRIMARY KEY, price numeric, stock int);
INSERT INTO products VALUES ('p1', 9.5, 3), ('p2', 20, 0), ('p3', 1.25, 7);
CREATE TABLE notes (id serial PRIMARY KEY, body text, ref int UNIQUE);
INSERT INTO notes (body, ref) VALUES ('one', 1), ('two', 2), ('three', 3);
CREATE TABLE private_notes (customer_id int UNIQUE, email text, note text);
CREATE TABLE people (id int, word text);
CREATE TABLE patients (illness text) INHERITS (people);
INSERT INTO people VALUES (1, 'open');
INSERT INTO patients VALUES (2, 'SECRET', 'x');
CREATE TABLE unruled (a int);
CREATE TABLE ruled (a int);
CREATE RULE more AS ON INSERT TO ruled DO INSTEAD SELECT email FROM customers;
CREATE TABLE "Odd ""Name" ("select" int PRIMARY KEY, "Gehört" text, "a.b" text);
INSERT INTO "Odd ""Name" VALUES (1, 'eins', 'x'), (2, 'zwei', 'y');
CREATE TABLE "a_table_whose_name_has_exactly_sixty_three_bytes_in_total_12345" (id int, word text);
INSERT INTO "a_table_whose_name_has_exactly_sixty_three_bytes_in_total_12345" VALUES (1, 'SECRET-word');
CREATE VIEW v_customers AS SELECT * FROM customers;
CREATE VIEW v_contact (cid, contact, area) AS SELECT id, email, region FROM customers;
CREATE VIEW v_nested AS SELECT area, contact AS x, cid FROM v_contact WHERE cid < 50;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, code FROM customers WHERE region <> 'east';
CREATE VIEW v_totals AS SELECT c.id, c.full_name, sum(o.total) AS total FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY c.id;
CREATE VIEW v_union AS WITH n AS (SELECT id, region FROM ONLY customers) SELECT * FROM n UNION ALL SELECT order_id, memo FROM orders;
CREATE VIEW v_cast AS SELECT id, code::int AS number FROM customers;
CREATE MATERIALIZED VIEW mv_customers AS SELECT id, email FROM customers;
CREATE FUNCTION get_email(int) RETURNS text LANGUAGE sql STABLE AS 'SELECT email FROM public.customers WHERE id = $1';
CREATE FUNCTION harmless(int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT $1 + 1';
CREATE FUNCTION two_columns(int, OUT email text, OUT n int) LANGUAGE sql IMMUTABLE AS $$SELECT 'f'::text, $1$$;
CREATE FUNCTION loud(int, text) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'loud %', $2; END$$;
CREATE OPERATOR evil.>= (FUNCTION = loud, LEFTARG = int, RIGHTARG = text);
CREATE FUNCTION evil.yes(int, int) RETURNS bool LANGUAGE sql AS 'SELECT true';
CREATE OPERATOR evil.<> (FUNCTION = evil.yes, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR evil.= (FUNCTION = loud, LEFTARG = int, RIGHTARG = text);
CREATE FUNCTION region(customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.email';
CREATE FUNCTION shadow(customers) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.email';
