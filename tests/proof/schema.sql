-- The tables over which random queries are made: one of each kind of thing that PostgreSQL has (a partitioned table,
-- an inheritance child, views, an enum, arrays, JSON, networks), every column type that applications use, and no
-- constraint but primary keys, so that the released relations fit into the same tables. No rows: see rows.sql.
SET client_min_messages = warning;
CREATE TYPE mood AS ENUM ('calm', 'cross', 'glad');
CREATE SCHEMA hr;
CREATE TABLE people (
  id int PRIMARY KEY, name text, email text, phone varchar(20), birth date, health text, region text, device uuid,
  address inet, joined timestamptz, score numeric(10,2), weight float8, mood mood, tags text[], marks int[], props jsonb,
  doc json, photo bytea, active bool, wake interval, seen timestamp, points bigint, code text);
CREATE INDEX people_region ON people (region, id);
CREATE TABLE orders (
  id int PRIMARY KEY, person int, product int, amount numeric(10,2), quantity int, placed timestamptz, memo text,
  paid bool, rate float8, code text);
CREATE INDEX orders_person ON orders (person);
CREATE TABLE consents (id int PRIMARY KEY, person int, purpose text, status text, recorded timestamptz, expires timestamptz);
CREATE TABLE products (
  id int PRIMARY KEY, name text, price numeric(10,2), weight float8, tags text[], since date, spec jsonb, mood mood);
CREATE TABLE notes (id int PRIMARY KEY, product int, body text, made timestamp, flags jsonb, score numeric(10,2), done bool);
CREATE TABLE hr.staff (id int PRIMARY KEY, name text, email text, team text, boss int, since date, code text);
CREATE TABLE visits (
  id int, person int, staff int, day date, channel mood, seconds bigint, note text, code text, ip inet,
  PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE visits_old PARTITION OF visits FOR VALUES FROM (MINVALUE) TO ('2025-01-01');
CREATE TABLE visits_new PARTITION OF visits DEFAULT;
CREATE TABLE papers (id int, person int, title text, word text, size int);
CREATE TABLE papers_old (shelf text) INHERITS (papers);
CREATE VIEW v_people AS SELECT id, name, email, region, birth, code, score FROM people;
CREATE VIEW v_spent (person, who, orders, total) AS
  SELECT p.id, p.name, count(o.id), sum(o.amount) FROM people p LEFT JOIN orders o ON o.person = p.id GROUP BY p.id, p.name;
CREATE VIEW v_busy AS
  SELECT v.id, v.day, p.name AS person, s.name AS staff, v.code FROM visits v JOIN people p ON p.id = v.person
  LEFT JOIN hr.staff s ON s.id = v.staff WHERE v.seconds > 30;
CREATE VIEW v_barrier WITH (security_barrier) AS SELECT id, region, code, tags FROM people WHERE active;
CREATE VIEW v_both AS SELECT id, code, 'person' AS kind FROM people UNION ALL SELECT id, code, 'order' FROM orders;
