-- The demo's roles may log in from the proxy's host, with a password that everybody knows.
DO $$
DECLARE name text;
BEGIN
  FOR name IN SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> 'postgres' LOOP
    EXECUTE format('ALTER ROLE %I PASSWORD %L', name, 'demo');
  END LOOP;
END $$;
