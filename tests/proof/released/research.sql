-- What `research` may see: health of those who said yes, decades, pseudonyms.
DELETE FROM stage.people WHERE id IN (4, 12, 20);
UPDATE stage.people SET device = NULL, photo = NULL, points = NULL, phone = NULL, address = NULL, props = NULL, doc = NULL, name = NULL, score = NULL,
  email = CASE WHEN id % 4 <> 0 THEN email END,
  birth = CASE WHEN id % 4 <> 0 THEN make_date(extract(year FROM birth)::int / 10 * 10, 1, 1) END,
  health = CASE WHEN EXISTS (SELECT FROM stage.consents k WHERE k.person = people.id AND k.purpose = 'research' AND k.status = 'given') THEN health END;
DELETE FROM stage.orders WHERE person % 4 = 0;
UPDATE stage.orders SET memo = NULL, product = NULL, quantity = NULL, amount = NULL;
DELETE FROM stage.consents WHERE person IN (4, 12, 20);
UPDATE stage.consents SET purpose = NULL, status = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
UPDATE stage.staff SET name = NULL, email = NULL, boss = NULL;
DELETE FROM stage.visits WHERE person IN (4, 12, 20);
UPDATE stage.visits SET staff = NULL, note = NULL, ip = NULL, seconds = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
DELETE FROM stage.papers WHERE person IN (4, 12, 20);
UPDATE stage.papers SET title = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
DELETE FROM stage.papers_old WHERE person IN (4, 12, 20);
UPDATE stage.papers_old SET title = NULL, shelf = NULL, person = CASE WHEN person % 4 <> 0 THEN person END;
