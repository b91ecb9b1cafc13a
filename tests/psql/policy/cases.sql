-- Sentences of the policy language, one by one, that no other suite holds at the wire. Played by run.py with rules.yaml
-- beside this file; the header is explained in cases.sql of the folder above.

-- ===== purposes and who may act for them
-- case: a-grant-covers-what-is-below | role: support_app | purpose: first.below | must-see: name 1
SELECT name FROM law.people WHERE id = 1;
-- case: not-what-is-above | role: quality | purpose: second | fails | must-see: \(purpose_not_granted\)
SELECT name FROM law.people;
-- case: a-prohibition-covers-what-is-below | role: support_app | purpose: never.below | fails | must-see: \(purpose_prohibited\)
SELECT 1 FROM law.people;
-- case: a-bad-purpose-does-not-fall-back | role: support_app | purpose: nonsense | fails | must-see: \(purpose_unknown\) | must-see: privacy@example\.com
SELECT name FROM law.people;
-- case: the-default-is-there-again | role: support_app | must-see: name 1
SET pgpurpose.purpose = 'nonsense'; RESET pgpurpose.purpose; SELECT name FROM law.people WHERE id = 1;
-- case: setting-a-bad-purpose-succeeds | role: support_app | must-see: ^SET$ | must-see: nonsense
SET pgpurpose.purpose = 'nonsense'; SHOW pgpurpose.purpose;
-- case: two-tags-that-disagree | role: support_app | fails | must-see: \(purpose_conflict\)
SELECT name /*purpose='first'*/ FROM law.people /*purpose='few'*/;
-- case: no-tag-in-a-string | role: quality | fails | must-see: \(purpose_missing\) | must-see: second\.below
SELECT name, '/*purpose=''second.below''*/' FROM law.people;
-- case: what-reads-no-relation-needs-none | role: quality | must-see: \| +2$
SELECT version() IS NOT NULL, 1 + 1;
-- case: set-config-with-from | role: support_app | fails | must-see: \((function_not_allowed|statement_not_allowed)\)
SELECT set_config('pgpurpose.purpose', 'few', false) FROM law.people;
-- case: a-role-without-an-entry | role: analytics | fails | must-see: not in the rules
SELECT 1;
-- case: a-database-without-rules | role: support_app | db: chinook | fails | must-see: no rules speak of this database
SELECT 1;

-- ===== purpose limitation and consent
-- case: within-what-it-was-collected-for | role: support_app | must-see: name 2 \| note 2
SELECT name, note FROM law.people WHERE id = 2;
-- case: opt-out-and-opt-in | role: marketing_app | must-see: ^ +1 \| name 1 \| +$ | must-see: ^ +2 \| +\| +$ | must-see: ^ +3 \| name 3 \| note 3$ | must-see: ^ +4 \| +\| +$ | must-see: ^ +5 \| name 5 \| +$ | must-see: ^ +6 \| name 6 \| +$ | must-see: \(6 rows\)
SELECT id, name, note FROM law.people ORDER BY id;
-- case: a-no-above-wins-over-a-yes-below | role: quality | purpose: second.below | must-see: ^ +3 \| name 3 \| note 3$ | must-see: ^ +4 \| +\| +$ | must-see: ^ +5 \| name 5 \| note 5$
SELECT id, name, note FROM law.people ORDER BY id;
-- case: on-no-consent-row | role: marketing_app | must-see: ^1,3,5,6$
SELECT string_agg(id::text, ',' ORDER BY id) FROM law.letters \g (format=unaligned tuples_only=on)
-- case: no-data-subject-nobody-to-ask | role: marketing_app | must-see: ^ +1 \| +$
SELECT id, word FROM law.nobodys;
-- case: collected-for-this-needs-nobody-asked | role: support_app | must-see: word
SELECT word FROM law.nobodys;

-- ===== children
-- case: children-and-who-may-be-one-do-not-exist | role: support_app | must-see: ^ +6 \| +6$
SELECT (SELECT count(*) FROM law.people), (SELECT count(*) FROM law.letters);
-- case: nothing-of-a-child-is-stored | role: support_app | fails | must-see: \(child_data\)
INSERT INTO law.people (id, name, born) VALUES (20, 'x', current_date - 100);
-- case: nothing-of-who-may-be-one | role: support_app | fails | must-see: \(child_data\)
INSERT INTO law.people (id, name) VALUES (20, 'x');
-- case: nor-in-other-tables | role: support_app | fails | must-see: \(child_data\)
INSERT INTO law.letters VALUES (20, 7, 'x');
-- case: nobody-becomes-one | role: support_app | fails | must-see: \(child_data\)
UPDATE law.people SET born = current_date WHERE id = 1;
-- case: nor-by-copy | role: support_app | fails | must-see: \(child_data\)
COPY law.letters (id, person, text) FROM STDIN;
-- case: a-grown-up-is-stored | role: support_app | must-see: INSERT 0 1 | must-see: DELETE 1
BEGIN; INSERT INTO law.people (id, name, born) VALUES (20, 'x', '1980-01-01'); DELETE FROM law.people WHERE id = 20; ROLLBACK;

-- ===== one subject
-- case: ones-own-rows | role: portal | purpose: own | subject: law.people:3 | must-see: name 3 \| note 3 \| 1970-01-01 | must-see: \(1 row\)
SELECT name, note, born FROM law.people;
-- case: a-child-asks-too | role: portal | purpose: own | subject: law.people:7 | must-see: a child
SELECT name FROM law.people;
-- case: another-kind-of-person | role: portal | purpose: own | subject: law.people:1 | must-see: ^ +1 \| +\| desk one$
SELECT id, name, desk FROM law.staff;
-- case: a-table-of-nobodys | role: portal | purpose: own | subject: law.people:1 | must-see: ^ +1 \| +$
SELECT id, word FROM law.nobodys;
-- case: of-the-other-kind | role: portal | purpose: own | subject: law.staff:1 | must-see: clerk one
SELECT name FROM law.staff;
-- case: no-subject | role: portal | purpose: own | fails | must-see: \(subject_missing\)
SELECT name FROM law.people;
-- case: no-key-of-one | role: portal | purpose: own | subject: law.people:three | fails | must-see: \(subject_missing\) | must-not-see: three
SELECT name FROM law.people;
-- case: of-which-kind | role: portal | purpose: own | subject: 3 | fails | must-see: \(subject_missing\)
SELECT name FROM law.people;

-- ===== what no rule speaks of
-- case: a-hidden-table | role: support_app | must-see: ^ a \| b $ | must-see: \(0 rows\) | must-not-see: unlisted | audit: "outcome":"gap".*law\.unlisted
SELECT * FROM law.unlisted;
-- case: a-hidden-column | role: support_app | must-see: name 1 \| +$ | audit: "outcome":"gap".*law\.people\.since_then
SELECT name, since_then FROM law.people WHERE id = 1;
-- case: a-materialized-view-is-a-table | role: support_app | must-see: \(0 rows\) | audit: "outcome":"gap".*law\.copied
SELECT name FROM law.copied;
-- case: a-partition-is-as-its-parent | role: marketing_app | must-see: ^ 2026-05-05 \| +$
SELECT day, word FROM law.days_2026;

-- ===== forms
-- case: refused | role: marketing_app | fails | must-see: \(column_refused\) | must-see: law\.people\.born | must-see: rules\.yaml:[0-9]+
SELECT born FROM law.people;
-- case: refused-is-hidden-by-a-star | role: marketing_app | must-not-see: 1970
SELECT * FROM law.people;
-- case: shown-not-searched | role: support_app | purpose: few | fails | must-see: \(predicate_refused\)
SELECT name FROM law.people ORDER BY name LIMIT 1;
-- case: shown | role: support_app | purpose: few | must-see: name 1
SELECT name FROM law.people WHERE id = 1;
-- case: too-many-rows | role: support_app | purpose: few | fails | must-see: \(too_many_rows\) | must-not-see: name 3
SELECT name FROM law.people ORDER BY id;
-- case: no-rows-counted-with-returning | role: support_app | purpose: few | fails | must-see: \(statement_not_allowed\)
DELETE FROM law.letters WHERE id = 1 RETURNING id;
-- case: no-explain | role: support_app | fails | must-see: \(statement_not_allowed\)
EXPLAIN SELECT name FROM law.people;

-- ===== writing
-- case: nothing-is-said-so-none | role: marketing_app | fails | must-see: \(write_not_allowed\)
DELETE FROM law.letters;
-- case: a-row-that-is-not-visible-is-not-changed | role: support_app | must-see: UPDATE 0 | must-see: DELETE 0
BEGIN; UPDATE law.people SET city = 'y' WHERE id = 7; DELETE FROM law.letters WHERE id IN (7, 8); ROLLBACK;
-- case: integrity-errors-have-no-values | role: support_app | fails | must-see: a constraint of a protected table was violated | must-not-see: people_pkey|\(id\)=|Key
INSERT INTO law.people (id, name, born) VALUES (1, 'x', '1980-01-01');
-- case: truncate-is-for-those-who-change-the-schema | role: support_app | fails | must-see: \(statement_not_allowed\)
TRUNCATE law.letters;
-- case: who-changes-the-schema | role: support_app | purpose: schema | must-see: TRUNCATE TABLE
BEGIN; TRUNCATE law.letters; ROLLBACK;
-- case: not-where-less-is-protected | role: support_app | fails | must-see: \(classification_downgrade\)
UPDATE law.people SET city = note WHERE id = 1;
-- case: not-into-a-new-table | role: support_app | fails | must-see: \((classification_downgrade|statement_not_allowed)\)
CREATE TEMP TABLE t AS SELECT note FROM law.people;
-- case: from-sensitive-to-personal-is-less | role: support_app | fails | must-see: \(classification_downgrade\)
UPDATE law.people SET name = note WHERE id = 1;
-- case: into-its-own-category | role: support_app | must-see: UPDATE 1
BEGIN; UPDATE law.letters SET text = p.name FROM law.people p WHERE p.id = letters.person AND p.id = 1; ROLLBACK;
