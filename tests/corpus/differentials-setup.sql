-- The tables that parser-differentials.sql speaks of, and what differs in the released database and in the twin.
-- \if :released and :twin are set by run_differentials.py.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int[], d date, f int, x int, n int, name text, note text);
INSERT INTO t SELECT i, i % 4, i % 3, ARRAY[i], date '2020-01-01' + i * 100, i, i, i, 'name ' || i, 'note ' || i FROM generate_series(1, 8) i;
CREATE TABLE u (id int PRIMARY KEY, k int);
INSERT INTO u SELECT i, i % 2 FROM generate_series(1, 3) i;
CREATE TABLE b (id int, ssn int);
CREATE TABLE secret (id int PRIMARY KEY, ssn int);
INSERT INTO secret SELECT i, i % 4 FROM generate_series(1, 4) i;
CREATE TABLE "Écret" AS TABLE secret;
CREATE TABLE écret AS SELECT 'the other' AS ssn;
CREATE TABLE secret_a2345678901234567890123456789012345678901234567890123456 AS TABLE secret;
CREATE FUNCTION f(int) RETURNS u LANGUAGE sql AS 'SELECT u FROM public.u WHERE id = $1';
CREATE PROCEDURE p(text) LANGUAGE sql AS '';
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
\if :released
  DELETE FROM t WHERE id % 2 = 0;
  UPDATE t SET note = left(note, 1) || '***';
  UPDATE secret SET ssn = NULL;
  UPDATE "Écret" SET ssn = NULL;
  UPDATE secret_a2345678901234567890123456789012345678901234567890123456 SET ssn = NULL;
\endif
\if :twin
  UPDATE t SET a = 7, b = NULL, name = 'x' WHERE id % 2 = 0;
  UPDATE t SET note = 'n' || id;
  UPDATE secret SET ssn = 9;
  UPDATE "Écret" SET ssn = 9;
  UPDATE secret_a2345678901234567890123456789012345678901234567890123456 SET ssn = 9;
\endif
