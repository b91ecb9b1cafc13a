-- What `care.quality` may see: masks, row filters, no children.
DELETE FROM stage.people WHERE id % 4 = 0;
UPDATE stage.people SET health = NULL, device = NULL, photo = NULL, points = NULL,
  name = left(name, 1) || repeat('*', length(name) - 1),
  email = CASE WHEN email LIKE '%@%' THEN left(email, 1) || '***' || substr(email, strpos(email, '@')) ELSE '***' END,
  phone = left(phone, 3) || repeat('*', length(phone) - 5) || right(phone, 2),
  birth = date_trunc('year', birth)::date, score = floor(score / 100) * 100,
  address = network(set_masklen(address, least(masklen(address), CASE family(address) WHEN 4 THEN 24 ELSE 48 END))),
  props = CASE WHEN jsonb_typeof(props) = 'object' THEN jsonb_build_object('n', props -> 'n', 'open', jsonb_build_object('k', props #> '{open,k}')) END,
  doc = CASE WHEN doc IS NOT NULL THEN ('{"a": ' || (doc ->> 'a') || '}')::json END;
DELETE FROM stage.orders WHERE person IS NULL OR person % 4 = 0;
UPDATE stage.orders SET amount = floor(amount / 100) * 100;
DELETE FROM stage.consents WHERE person IN (4, 12, 20);
DELETE FROM stage.staff WHERE id = 4;
DELETE FROM stage.visits WHERE person % 4 = 0;
UPDATE stage.visits SET ip = network(set_masklen(ip, least(masklen(ip), 24)));
DELETE FROM stage.papers WHERE person % 4 = 0 OR word LIKE 'POISON%';
DELETE FROM stage.papers_old WHERE person % 4 = 0 OR word LIKE 'POISON%';
UPDATE stage.papers_old SET shelf = NULL;
