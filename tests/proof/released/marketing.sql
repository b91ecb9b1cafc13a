-- What `marketing` may see: no children, nobody whose record is too old; of those who said no (person % 4 = 0) no
-- personal value, and none of their orders.
DELETE FROM stage.people WHERE id IN (4, 12, 20) OR joined < '1936-01-01';
UPDATE stage.people SET health = NULL, device = NULL, photo = NULL, points = NULL, phone = NULL, address = NULL, props = NULL, doc = NULL,
  name = CASE WHEN id % 4 <> 0 THEN left(name, 1) || repeat('*', length(name) - 1) END,
  email = CASE WHEN id % 4 = 0 THEN NULL WHEN email LIKE '%@%' THEN left(email, 1) || '***' || substr(email, strpos(email, '@')) ELSE '***' END,
  birth = CASE WHEN id % 4 <> 0 THEN make_date(extract(year FROM birth)::int / 10 * 10, 1, 1) END,
  score = CASE WHEN id % 4 <> 0 THEN score END;
DELETE FROM stage.orders WHERE person % 4 = 0;
UPDATE stage.orders SET memo = NULL;
DELETE FROM stage.consents WHERE person IN (4, 12, 20);
UPDATE stage.consents SET person = NULL, purpose = NULL, status = NULL WHERE person % 4 = 0;
UPDATE stage.staff SET name = NULL, email = NULL, boss = NULL;
DELETE FROM stage.visits WHERE person IN (4, 12, 20);
UPDATE stage.visits SET staff = NULL, note = NULL, ip = NULL;
UPDATE stage.visits SET person = NULL, seconds = NULL WHERE person % 4 = 0;
DELETE FROM stage.papers WHERE person IN (4, 12, 20);
UPDATE stage.papers SET title = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
DELETE FROM stage.papers_old WHERE person IN (4, 12, 20);
UPDATE stage.papers_old SET title = NULL, shelf = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
