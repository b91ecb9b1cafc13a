-- Differs from the raw database in what `marketing` may not see.
UPDATE stage.people SET health = 'other', device = NULL, photo = '\x', points = 7, phone = '0', address = '1.1.1.1', props = '{"n": 1}', doc = '[]';
UPDATE stage.people SET name = left(name, 1) || repeat('z', length(name) - 1), birth = birth - (extract(year FROM birth)::int % 10) * 365,
  email = CASE WHEN email LIKE '%@%' THEN left(email, 1) || 'zz' || substr(email, strpos(email, '@')) ELSE 'nothing' END WHERE id % 4 <> 0;
UPDATE stage.people SET name = 'Same', birth = '1990-01-01', email = '', score = 0 WHERE id % 4 = 0;
UPDATE stage.people SET birth = '2021-01-01', code = '1', weight = 0, region = NULL, tags = '{q}' WHERE id IN (4, 12);
UPDATE stage.people SET joined = '1906-07-08', code = 'POISON', weight = NULL WHERE id = 10;
DELETE FROM stage.people WHERE id = 20;
INSERT INTO stage.people (id, code, birth, score, marks, at) VALUES (404, 'POISON-NEW', '2022-02-02', 0, '{}', 0.5), (408, '', '2023-02-02', 1e7, NULL, 13.5);
UPDATE stage.orders SET memo = 'other';
UPDATE stage.orders SET code = '2', quantity = 0, amount = 1e6 WHERE person % 4 = 0;
DELETE FROM stage.orders WHERE id IN (11, 7) AND person % 4 = 0;
INSERT INTO stage.orders (id, person, code, quantity, at) VALUES (900, 8, 'POISON', 0, 2.5), (901, 4, '', 0, 17.5);
UPDATE stage.consents SET status = 'withdrawn' WHERE purpose IN ('marketing', 'stats') AND status = 'refused';
DELETE FROM stage.consents WHERE person = 20;
DELETE FROM stage.orders WHERE person = 20;
DELETE FROM stage.visits WHERE person = 20;
DELETE FROM stage.papers WHERE person = 20;
DELETE FROM stage.papers_old WHERE person = 20;
UPDATE stage.consents SET status = 'given' WHERE person = 12;
UPDATE stage.staff SET name = 'Other', email = 'x', boss = 5;
UPDATE stage.visits SET staff = 1, note = 'other', ip = '9.9.9.9';
UPDATE stage.visits SET seconds = 999 WHERE person % 4 = 0;
UPDATE stage.visits SET code = '0', day = '2020-01-01', channel = NULL WHERE person IN (4, 12, 20);
UPDATE stage.papers SET title = 'x';
UPDATE stage.papers SET word = '1', size = 0 WHERE person IN (4, 12, 20);
UPDATE stage.papers_old SET shelf = 's', title = NULL;
UPDATE stage.papers_old SET word = '-', size = NULL WHERE person IN (4, 12, 20);
