-- Stores what stands in `stage`, in its order: rows that two databases share lie in the same order in both.
DO $$
DECLARE source name; target regclass; list text;
BEGIN
  FOR source IN SELECT relname FROM pg_class WHERE relnamespace = 'stage'::regnamespace AND relkind = 'r' LOOP
    target := CASE source WHEN 'staff' THEN 'hr.staff' ELSE 'public.' || source END;
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO list FROM pg_attribute WHERE attrelid = target AND attnum > 0;
    EXECUTE format('INSERT INTO %s (%s) SELECT %s FROM stage.%I ORDER BY at', target, list, list, source);
  END LOOP;
END $$;
DROP SCHEMA stage CASCADE;
