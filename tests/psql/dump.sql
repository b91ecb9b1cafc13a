-- What a schema may hold besides tests/schema/everything.sql, with rows: dumped and restored by dump.py.
CREATE SCHEMA more;
CREATE TABLE more.item (id serial PRIMARY KEY, name text NOT NULL DEFAULT 'it''s', at timestamptz, raw bytea, j jsonb, list int[]);
CREATE TABLE more.line (item int REFERENCES more.item ON DELETE CASCADE, price numeric(10, 2) CHECK (price > 0));
CREATE TABLE more.top (x int) WITH (fillfactor = 70);
CREATE TABLE more.below (y int) INHERITS (more.top);
CREATE VIEW more.dear AS SELECT name, sum(price) FROM more.item JOIN more.line ON line.item = item.id WHERE name <> 'x' GROUP BY 1;
CREATE MATERIALIZED VIEW more.names AS SELECT name FROM more.item;
CREATE FUNCTION more.one(i int) RETURNS int LANGUAGE sql SET work_mem = '8MB' AS $$ SELECT i + 1 $$;
CREATE FUNCTION more.atomic(i int) RETURNS int LANGUAGE sql RETURN i + 2;
CREATE FUNCTION more.kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE AGGREGATE more.total(int) (sfunc = int4pl, stype = int, initcond = '0');
CREATE TRIGGER kept BEFORE INSERT ON more.item FOR EACH ROW EXECUTE FUNCTION more.kept();
CREATE RULE never AS ON DELETE TO more.top DO INSTEAD NOTHING;
CREATE POLICY dear ON more.line USING (price > 1);
CREATE STATISTICS more.both ON id, name FROM more.item;
CREATE INDEX early ON more.item (lower(name)) WHERE at IS NOT NULL;
CREATE SEQUENCE more.numbers START 5 INCREMENT 3;
CREATE PUBLICATION news FOR TABLE more.item;
COMMENT ON COLUMN more.item.name IS 'what it is called';
ALTER TABLE more.line ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON more.item TO PUBLIC;
INSERT INTO more.item (name, at, raw, j, list)
  SELECT 'item ' || n, '2020-01-01'::timestamptz + n * interval '1 day', decode(md5(n::text), 'hex'), jsonb_build_object('n', n), ARRAY[n, NULL]
  FROM generate_series(1, 500) n;
INSERT INTO more.line SELECT id, 1.25 FROM more.item;
INSERT INTO more.below VALUES (1, 2);
INSERT INTO shop.part VALUES (1, '2020-05-05', 'one'), (2, '2021-05-05', E'tab\tand \\ line\nend');
SELECT nextval('more.numbers'), nextval('more.numbers');
REFRESH MATERIALIZED VIEW more.names;
