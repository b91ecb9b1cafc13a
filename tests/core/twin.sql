-- Another database that differs only in what marketing may not see: the same answers must come out.
SET client_min_messages = warning;
UPDATE customers SET code = '5', props = '{"n": 1}', region = 'north' WHERE NOT consented AND id <> 4;
UPDATE customers SET full_name = 'Other', health_note = NULL, birth_date = date_trunc('year', birth_date)::date + 3,
  email = left(email, 1) || 'zzz@' || split_part(email, '@', 2) WHERE consented;
DELETE FROM customers WHERE id = 4;
INSERT INTO customers (id, code, consented) VALUES (77, 'POISON-77', false);
UPDATE orders SET memo = '3', total = 1000000 WHERE memo = 'POISON';
UPDATE tickets SET subject = '0' WHERE NOT open;
UPDATE tickets SET secret = 'OTHER' WHERE open;
UPDATE events SET note = '1' WHERE NOT shown;
UPDATE "a_table_whose_name_has_exactly_sixty_three_bytes_in_total_12345" SET word = 'OTHER';
