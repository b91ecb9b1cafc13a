CREATE TABLE t (a int, b nosuch);
-- a comment
CREATE CAST (int AS text) WITH INOUT;

ALTER TABLE nowhere ADD COLUMN x int;
CREATE EXTENSION citext;
CREATE TABLE u (a citext);
