-- What people write in schema files, and what a server makes of it: read by tests/schema.rs.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE SCHEMA shop;
CREATE SCHEMA other CREATE TABLE inside (a int) CREATE VIEW seen AS SELECT a FROM inside;
CREATE TYPE shop.mood AS ENUM ('sad', 'ok');
CREATE DOMAIN shop.mail AS text CHECK (VALUE LIKE '%@%');
CREATE TYPE shop.place AS (street text, no smallint);
CREATE SEQUENCE shop.numbers;
SET search_path = shop, public;

CREATE TABLE person (
  id bigserial PRIMARY KEY, "Full Name" varchar(40) NOT NULL, tags text[], mail mail, feels mood DEFAULT 'ok', home place,
  born date, seen timestamp(3) with time zone, price numeric(10, 2), whole numeric(4), code char(2), one char, flags bit(3),
  raw_json jsonb, n int4 GENERATED ALWAYS AS IDENTITY, twice bigint GENERATED ALWAYS AS (whole * 2) STORED, at time, span interval,
  "user" "char", ip inet, prices double precision[][], doc xml, moods mood[], CHECK (whole > 0), UNIQUE (mail)
);
COMMENT ON COLUMN person.mail IS 'where; to write \
\nobody knows';
CREATE TABLE staff (LIKE person, title text, PRIMARY KEY (id, title));
CREATE TABLE twin (LIKE person INCLUDING INDEXES INCLUDING GENERATED);
CREATE TABLE boss (power int) INHERITS (staff);
ALTER TABLE staff ADD COLUMN since date NOT NULL DEFAULT now();
CREATE TABLE part (k int, at date NOT NULL, v text) PARTITION BY RANGE (at);
CREATE TABLE part_1 PARTITION OF part FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE part_2 (k int, at date NOT NULL, v text);
ALTER TABLE ONLY part ATTACH PARTITION part_2 FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
ALTER TABLE part ADD CONSTRAINT part_pkey PRIMARY KEY (k, at);
CREATE TABLE gone (a int); DROP TABLE gone; DROP TABLE IF EXISTS never;
CREATE TABLE changing (a int, b text, c int);
ALTER TABLE changing DROP COLUMN b, ALTER COLUMN c TYPE bigint, ADD COLUMN IF NOT EXISTS d uuid;
ALTER TABLE changing RENAME COLUMN a TO first;
ALTER TABLE changing RENAME TO changed;
ALTER TABLE changed SET SCHEMA other;
CREATE TABLE IF NOT EXISTS person (x int);
CREATE INDEX ON person (born);

CREATE VIEW named AS SELECT id, "Full Name" AS name, lower(mail) AS mail FROM person WHERE born IS NOT NULL;
CREATE OR REPLACE VIEW counted (what, how_many) WITH (security_barrier) AS
  WITH t AS (SELECT name FROM named) SELECT t.name, count(*) FROM t GROUP BY 1;
CREATE VIEW stars AS SELECT * FROM part JOIN other.inside ON inside.a = part.k;
CREATE MATERIALIZED VIEW kept AS SELECT id, born FROM person WITH NO DATA;
CREATE TABLE copied AS SELECT id, born FROM person;
CREATE FUNCTION add(a int, b int DEFAULT 1) RETURNS int LANGUAGE sql AS $$ SELECT a + b;
$$;
CREATE FUNCTION people(VARIADIC ids bigint[]) RETURNS SETOF person LANGUAGE sql AS $$ SELECT * FROM person $$;
CREATE FUNCTION pair(OUT x int, OUT y text) LANGUAGE sql AS $$ SELECT 1, 'a' $$;
CREATE FUNCTION listed() RETURNS TABLE (x int, y text) LANGUAGE sql AS $$ SELECT 1, 'a' $$;
CREATE PROCEDURE work(a shop.mood) LANGUAGE plpgsql AS $$ BEGIN NULL; END $$;
CREATE FUNCTION dropped(a int) RETURNS int LANGUAGE sql AS 'SELECT 1';
DROP FUNCTION dropped(int);
SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.last (a pg_catalog.int4);
COPY public.last (a) FROM stdin;
1
2
\.
DO $$ BEGIN NULL; END $$;
CREATE TEMP TABLE scratch (a int);
CREATE TEMPORARY VIEW v AS SELECT 1 AS one;
INSERT INTO public.last VALUES (3);
GRANT SELECT ON public.last TO PUBLIC;
