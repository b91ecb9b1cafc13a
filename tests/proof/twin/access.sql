-- Differs from the raw database in what person 5 may not see: nearly all of it.
UPDATE stage.people SET points = 1;
UPDATE stage.people SET code = 'x', weight = 0, marks = '{}', birth = NULL, region = NULL WHERE id <> 5;
DELETE FROM stage.people WHERE id IN (2, 9, 24);
INSERT INTO stage.people (id, code, at) VALUES (500, 'POISON-NEW', 0.5), (55, '0', 5.5);
UPDATE stage.orders SET code = '', quantity = 0, amount = 0 WHERE person IS DISTINCT FROM 5;
DELETE FROM stage.orders WHERE person = 6 OR person IS NULL;
UPDATE stage.consents SET status = 'x' WHERE person <> 5;
UPDATE stage.staff SET name = 'x', email = NULL, boss = 1;
UPDATE stage.visits SET staff = 3;
UPDATE stage.visits SET code = 'x', seconds = 0, day = '2020-02-02' WHERE person <> 5;
DELETE FROM stage.visits WHERE person = 1;
UPDATE stage.papers SET word = '' WHERE person <> 5;
DELETE FROM stage.papers_old WHERE person <> 5;
UPDATE stage.papers_old SET shelf = 'x';
