-- Differs from the raw database in what `care.quality` may not see: other values under the masks, rows that are not
-- there, others that are, and none of the values that break what touches them.
UPDATE stage.people SET health = 'other', device = NULL, photo = '\x', points = 7, name = left(name, 1) || repeat('z', length(name) - 1),
  email = CASE WHEN email LIKE '%@%' THEN left(email, 1) || 'zz' || substr(email, strpos(email, '@')) ELSE 'nothing' END,
  phone = left(phone, 3) || repeat('9', length(phone) - 5) || right(phone, 2), birth = date_trunc('year', birth)::date + 5,
  score = floor(score / 100) * 100 + 1.5, address = set_masklen(network(set_masklen(address, least(masklen(address), CASE family(address) WHEN 4 THEN 24 ELSE 48 END))) + 3, masklen(address)),
  props = CASE WHEN jsonb_typeof(props) = 'object' THEN props || '{"secret": [0]}' ELSE '"other"' END,
  doc = CASE WHEN doc IS NOT NULL THEN ('{"b": 0, "a": ' || (doc ->> 'a') || '}')::json END WHERE id % 4 <> 0;
UPDATE stage.people SET code = '1', props = NULL, weight = 0, birth = '1990-01-01', name = 'Same', region = NULL, tags = '{q}', joined = now() WHERE id % 4 = 0;
UPDATE stage.people SET props = NULL WHERE id % 6 = 1;
DELETE FROM stage.people WHERE id IN (8, 20);
INSERT INTO stage.people (id, code, score, marks, at) VALUES (400, 'POISON-NEW', 0, '{}', 0.5), (404, '', 1e7, NULL, 13.5), (408, 'x', -1, '{0}', 99);
UPDATE stage.people SET birth = '2021-01-01' WHERE id IN (4, 12);
UPDATE stage.orders SET amount = floor(amount / 100) * 100 + 99;
UPDATE stage.orders SET code = '2', quantity = NULL, amount = 1e6, memo = 'm' WHERE person IS NULL OR person % 4 = 0;
DELETE FROM stage.orders WHERE id IN (9, 15);
INSERT INTO stage.orders (id, person, code, quantity, at) VALUES (900, 8, 'POISON', 0, 2.5), (901, NULL, '', 0, 17.5), (902, 12345, 'y', 0, 40);
UPDATE stage.consents SET status = 'other', purpose = 'x' WHERE person IN (4, 12, 20);
DELETE FROM stage.consents WHERE person = 20;
UPDATE stage.staff SET code = '9', name = 'Other', email = NULL, boss = 1, since = '1999-09-09' WHERE id = 4;
UPDATE stage.visits SET ip = set_masklen(network(set_masklen(ip, 24)) + 77, masklen(ip));
UPDATE stage.visits SET code = '0', note = 'x', seconds = 0, staff = NULL WHERE person % 4 = 0;
DELETE FROM stage.visits WHERE person IN (8, 20);
UPDATE stage.papers SET word = '1', title = 't', size = 0 WHERE person % 4 = 0;
UPDATE stage.papers_old SET word = 'POISON-Z', size = 99 WHERE word LIKE 'POISON%';
UPDATE stage.papers_old SET shelf = 's';
