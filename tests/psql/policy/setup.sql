CREATE SCHEMA law;
CREATE TABLE law.people (id int PRIMARY KEY, name text, note text, born date, city text, since_then text DEFAULT 'x');
CREATE TABLE law.letters (id int, person int, text text);
CREATE TABLE law.staff (id int, name text, born date, desk text);
CREATE TABLE law.nobodys (id int, word text);
CREATE TABLE law.unlisted (a int, b text);
CREATE TABLE law.consents (person int, purpose text, status text, until timestamptz);
CREATE TABLE law.days (day date, person int, word text) PARTITION BY RANGE (day);
CREATE TABLE law.days_2026 PARTITION OF law.days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
INSERT INTO law.people SELECT n, 'name ' || n, 'note ' || n, '1970-01-01', 'city ' || n FROM generate_series(1, 6) n;
INSERT INTO law.people VALUES (7, 'a child', 'c', current_date - 2000, 'x'), (8, 'who knows', 'w', NULL, 'x');
INSERT INTO law.letters SELECT n, n, 'letter ' || n FROM generate_series(1, 8) n;
INSERT INTO law.staff VALUES (1, 'clerk one', '1970-01-01', 'desk one');
INSERT INTO law.nobodys VALUES (1, 'word');
INSERT INTO law.unlisted VALUES (1, 'unlisted');
INSERT INTO law.days VALUES ('2026-05-05', 2, 'day of two');
-- 1 never answered. 2 said no, long ago. 3 said yes to all of second. 4 said no to it, yes to what is below. 5 said yes to
-- what is below. 6's yes has ended.
INSERT INTO law.consents VALUES (2, 'second', 'no', now() - interval '1 year'), (3, 'second', 'yes', NULL),
  (4, 'second', 'no', NULL), (4, 'second.below', 'yes', NULL), (5, 'second.below', 'yes', now() + interval '1 year'),
  (6, 'second', 'yes', now() - interval '1 day');
CREATE MATERIALIZED VIEW law.copied AS SELECT name FROM law.people;
GRANT USAGE ON SCHEMA law TO support_app, marketing_app, quality, portal;
GRANT ALL ON ALL TABLES IN SCHEMA law TO support_app, marketing_app, quality, portal;
