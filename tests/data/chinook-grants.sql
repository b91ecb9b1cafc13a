-- Logins for the Chinook sample (chinook.sql, (c) Luis Rocha, chinook.LICENSE.md), which has none.
--   psql -d postgres -f chinook.sql && psql -d chinook -f chinook-grants.sql        (as a superuser)
\set ON_ERROR_STOP on
\set QUIET on
DO $$
DECLARE name text;
BEGIN
  FOREACH name IN ARRAY ARRAY['support_app', 'quality', 'analytics', 'marketing_app', 'portal', 'dba'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN EXECUTE format('CREATE ROLE %I LOGIN', name); END IF;
  END LOOP;
END $$;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO support_app, quality, analytics, marketing_app, portal, dba;
GRANT INSERT, UPDATE, DELETE ON customer, invoice, invoice_line, playlist, playlist_track TO support_app;
GRANT UPDATE ON customer TO portal;
ANALYZE;
