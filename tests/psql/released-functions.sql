-- What the sentences of the policy mean, in plain SQL, for released.sql. Written from policy.md and the comments of
-- rules/customer-care.yaml, not from what the proxy makes of them.
CREATE SCHEMA expected;
SET search_path = expected;

-- What a person last said to a purpose: given, refused, withdrawn; NULL if nothing, or a consent that is over.
CREATE FUNCTION said(person integer, about text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT CASE WHEN status <> 'given' OR expires_at IS NULL OR expires_at > now() THEN status END
  FROM care.consents WHERE customer_id = person AND purpose = about ORDER BY recorded_at DESC LIMIT 1 $$;
-- A person said no to one of these purposes.
CREATE FUNCTION no(person integer, VARIADIC about text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM unnest(about) AS a (purpose) WHERE said(person, purpose) IN ('refused', 'withdrawn')) $$;
-- A person said yes to one of them, and to none of them no.
CREATE FUNCTION yes(person integer, VARIADIC about text[]) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM unnest(about) AS a (purpose) WHERE said(person, purpose) = 'given') AND NOT no(person, VARIADIC about) $$;
-- Under 13, where the birth date is known.
CREATE FUNCTION child(person integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM care.customers WHERE customer_id = person AND age(birth_date) < '13 years') $$;
CREATE FUNCTION swiss(person integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM care.customers WHERE customer_id = person AND region = 'ch') $$;
-- May be told to a recipient in the US without a mechanism.
CREATE FUNCTION abroad(person integer) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (SELECT FROM care.customers WHERE customer_id = person AND region IN ('us', 'uk')) $$;
CREATE FUNCTION initial(word text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(word, 1) || repeat('*', length(word) - 1) $$;
CREATE FUNCTION ends(word text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(word, 3) || repeat('*', length(word) - 5) || right(word, 2) $$;
CREATE FUNCTION mailbox(address text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT left(address, 1) || '***' || substr(address, strpos(address, '@')) $$;
