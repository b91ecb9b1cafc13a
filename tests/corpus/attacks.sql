-- attacks.sql : more statements of an attacker, beside bypass-cases.sql and in its form (read its head first), for classes
-- that it has little or nothing of. Run with the same set-up, rules and runner: run_bypass.py --cases attacks.sql.
-- Played against PostgreSQL itself (--control) each leaks, but for those that say why not on PostgreSQL 15.

-- ===== a. values in the words of an error: casts and functions that say what they were given
-- case: cast-inet | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::inet FROM customers;
-- case: cast-cidr | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::cidr FROM customers;
-- case: cast-uuid | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::uuid FROM customers;
-- case: cast-macaddr | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::macaddr FROM customers;
-- case: cast-macaddr8 | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::macaddr8 FROM customers;
-- case: cast-interval | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::interval FROM customers;
-- case: cast-timestamptz | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::timestamptz FROM customers;
-- case: cast-time | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::time FROM customers;
-- case: cast-numeric | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::numeric FROM customers;
-- case: cast-float8 | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::float8 FROM customers;
-- case: cast-bool | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::bool FROM customers;
-- case: cast-point | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::point FROM customers;
-- case: cast-box | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::box FROM customers;
-- case: cast-circle | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::circle FROM customers;
-- case: cast-int4range | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::int4range FROM customers;
-- case: cast-daterange | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::daterange FROM customers;
-- case: cast-pg_lsn | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::pg_lsn FROM customers;
-- case: cast-oid | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::oid FROM customers;
-- case: cast-tid | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::tid FROM customers;
-- case: cast-bit | a-error | leak-if: "[a-z]" is not a valid binary digit | expect: no leak
SELECT email::bit FROM customers;
-- case: cast-_int4 | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT email::int[] FROM customers;
-- case: cast-regproc | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regproc FROM customers;
-- case: cast-regprocedure | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"(int)')::regprocedure FROM customers;
-- case: cast-regtype | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regtype FROM customers;
-- case: cast-regrole | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regrole FROM customers;
-- case: cast-regnamespace | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regnamespace FROM customers;
-- case: cast-regoper | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regoper FROM customers;
-- case: cast-regoperator | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'".@(int,int)')::regoperator FROM customers;
-- case: cast-regconfig | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regconfig FROM customers;
-- case: cast-regdictionary | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regdictionary FROM customers;
-- case: cast-regcollation | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ('"'||email||'"')::regcollation FROM customers;
-- case: date-trunc-unit | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT date_trunc(email, now()) FROM customers;
-- case: date-part-unit | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT date_part(email, now()) FROM customers;
-- case: current-setting-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT current_setting(email) FROM customers;
-- case: set-config-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT set_config(email, 'x', false) FROM customers;
-- case: encode-format | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT encode('x', email) FROM customers;
-- case: decode-format | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT decode('x', email) FROM customers;
-- case: convert-encoding | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT convert('x', email, 'UTF8') FROM customers;
-- case: parse-ident | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT parse_ident(email) FROM customers;
-- case: serial-sequence | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT pg_get_serial_sequence('"'||email||'"', 'x') FROM customers;
-- case: currval-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT currval('"'||email||'"') FROM customers;
-- case: privilege-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT has_schema_privilege(email, 'usage') FROM customers;
-- case: role-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT pg_has_role(email, 'usage') FROM customers;
-- case: jsonb-set-path | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT jsonb_set('[1]', ARRAY[email], '1') FROM customers;
-- case: jsonb-delete-path | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT '[1]'::jsonb #- ARRAY[email] FROM customers;
-- case: digest-algorithm | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT digest('x', email) FROM customers;
-- case: hmac-algorithm | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT hmac('x', 'y', email) FROM customers;
-- case: ts-parser | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ts_parse(email, 'x') FROM customers;
-- case: populate-record | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT jsonb_populate_record(NULL::contacts, jsonb_build_object('id', email)) FROM customers;
-- case: to-record | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT r.* FROM customers c, jsonb_to_record(jsonb_build_object('i', c.email)) AS r(i int);
-- case: array-text-cast | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ARRAY[email]::int[] FROM customers;
-- case: values-union-type | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT 1 UNION ALL SELECT email::int FROM customers;
-- case: limit-cast | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT 1 LIMIT (SELECT email::int FROM customers WHERE id=1007);
-- case: read-file-name | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | role: super
SELECT pg_read_binary_file(email) FROM customers;
-- case: function-by-notation | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT (email)::text::date FROM customers;
-- case: char-length-cast | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
INSERT INTO contacts SELECT email::int, 'x' FROM customers;
-- case: insert-typed | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
INSERT INTO contacts(id) VALUES ((SELECT email::int FROM customers WHERE id=1007));
-- case: hstore-input | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT populate_record(NULL::contacts, hstore('id', email)) FROM customers;
-- case: encrypt-cipher | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT encrypt('x', 'y', email) FROM customers;
-- case: to-number-overflow | a-error | leak-if: HIT-num | expect: no leak
SELECT 'HI'||'T-num' FROM customers WHERE id=1007 AND substr(email,8,4)::int=4925;
-- case: input-is-valid | a-error | leak-if: ^1007:t | expect: no leak | control: no-leak (the function is of 16)
SELECT id||':'||pg_input_is_valid(substr(email,8,4),'int4') FROM customers WHERE id=1007 AND substr(email,8,4)<>'';
-- case: input-error-info | a-error | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (the function is of 16)
SELECT (pg_input_error_info(email,'int4')).message FROM customers;
-- case: safe-cast-on-error | a-error | leak-if: ^4925$ | expect: no leak | control: no-leak (of 17)
SELECT JSON_VALUE(to_jsonb(substr(email,8,4)), '$' RETURNING int NULL ON ERROR) FROM customers;

-- ===== b. whole rows, records, arrays and documents
-- case: hstore-of-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT hstore(c) FROM customers c;
-- case: each-hstore | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT (each(hstore(c))).value FROM customers c;
-- case: record-to-text-function | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT concat(c) FROM customers c;
-- case: concat-ws-star | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT concat_ws('|', c.*) FROM customers c;
-- case: format-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT format('%s', c) FROM customers c;
-- case: quote-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT quote_literal(c) FROM customers c;
-- case: row-cast-varchar | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT c::varchar FROM customers c;
-- case: record-send | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT encode(record_send(c),'escape') FROM customers c;
-- case: textsend | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT convert_from(textsend(email),'UTF8') FROM customers;
-- case: array-out-in | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT array_out(array_agg(email)) FROM customers;
-- case: unnest-ordinality | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT * FROM unnest(ARRAY(SELECT email FROM customers)) WITH ORDINALITY;
-- case: composite-star-of-subquery | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ((SELECT c FROM customers c WHERE id=1007)).*;
-- case: composite-field-of-array | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ((array_agg(c))[7]).email FROM customers c;
-- case: lateral-values | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT v.* FROM customers c, LATERAL (VALUES (c.email), (c.phone)) v(x);
-- case: lateral-star | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT l.* FROM customers c CROSS JOIN LATERAL (SELECT c.*) l;
-- case: json-object-agg | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT json_object_agg(id, email) FROM customers;
-- case: jsonb-each-text | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT e.* FROM customers c, jsonb_each_text(to_jsonb(c)) e;
-- case: jsonb-path-query | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT jsonb_path_query(to_jsonb(c), '$.email') FROM customers c;
-- case: jsonb-subscript | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT (to_jsonb(c))['email'] FROM customers c;
-- case: jsonb-pretty | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT jsonb_pretty(jsonb_agg(c)) FROM customers c;
-- case: xmlforest | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT xmlforest(c.email) FROM customers c;
-- case: xmlagg | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT xmlagg(xmlelement(name x, c)) FROM customers c;
-- case: xmlserialize | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT xmlserialize(CONTENT xmlelement(name x, xmlattributes(c.email AS e)) AS text) FROM customers c;
-- case: row-constructor | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT ROW(c.*, 1) FROM customers c;
-- case: recursive-whole-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
WITH RECURSIVE r AS (SELECT c, 1 AS n FROM customers c UNION ALL SELECT c, n+1 FROM r WHERE n < 2) SELECT c FROM r;
-- case: cte-materialized-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
WITH m AS MATERIALIZED (TABLE customers) SELECT m FROM m;
-- case: intersect-row | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT c FROM customers c INTERSECT SELECT c FROM customers c;
-- case: json-table | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 16 or 17)
SELECT t.* FROM customers c, JSON_TABLE(to_jsonb(c), '$' COLUMNS (e text PATH '$.email')) t;
-- case: json-query | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 16 or 17)
SELECT JSON_QUERY(to_jsonb(c), '$.email') FROM customers c;
-- case: json-constructor | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 16 or 17)
SELECT JSON_OBJECT('e': email) FROM customers;
-- case: json-arrayagg | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 16 or 17)
SELECT JSON_ARRAYAGG(email) FROM customers;
-- case: polymorphic-any | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT array_to_string(array_append(ARRAY['x'], email), ',') FROM customers;
-- case: join-alias-star | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT j.* FROM (contacts RIGHT JOIN customers USING (id)) AS j;
-- case: full-join-alias | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT j FROM (contacts FULL JOIN customers USING (id)) AS j;
-- case: using-alias | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT customers.email FROM contacts RIGHT JOIN customers USING (id) AS u;
-- case: record-equality | b-record | leak-if: ^1003$ | expect: no leak
SELECT id FROM ONLY customers c WHERE c = c;
-- case: graph-table | b-record | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 19)
SELECT * FROM GRAPH_TABLE (g MATCH (a IS customers) COLUMNS (a.email));

-- ===== c. the value in another dress
-- case: reverse | c-encoded | leak-if: tset.elpmaxe@700-5294-yranac | expect: no leak
SELECT reverse(email) FROM customers WHERE id=1007;
-- case: upper | c-encoded | leak-if: CANARY-4925 | expect: no leak
SELECT upper(email) FROM customers WHERE id=1007;
-- case: hex | c-encoded | leak-if: 63616e6172792d343932352d303037 | expect: no leak
SELECT encode(email::bytea,'hex') FROM customers WHERE id=1007;
-- case: bytea | c-encoded | leak-if: 63616e6172792d343932352d303037 | expect: no leak
SELECT convert_to(email,'UTF8') FROM customers WHERE id=1007;
-- case: base64 | c-encoded | leak-if: Y2FuYXJ5LTQ5MjUtMDA3 | expect: no leak
SELECT encode(email::bytea,'base64') FROM customers WHERE id=1007;
-- case: sha256 | c-encoded | leak-if: 990fe632807f7fd458968199c8c78a5e559936c0bd323c16f94c12b443df44c1 | expect: no leak
SELECT sha256(email::bytea) FROM customers WHERE id=1007;
-- case: sha512 | c-encoded | leak-if: f9bc806b836472e17263d6801c7d4ec87e7d1499 | expect: no leak
SELECT encode(sha512(email::bytea),'hex') FROM customers WHERE id=1007;
-- case: translate | c-encoded | leak-if: dbnbsz | expect: no leak
SELECT translate(email,'canry','dbnsz') FROM customers WHERE id=1007;
-- case: escape-bytea | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT encode(email::bytea,'escape') FROM customers WHERE id=1007;
-- case: split-array | c-encoded | leak-if: 4925 | expect: no leak
SELECT (string_to_array(email,'-'))[2] FROM customers WHERE id=1007;
-- case: tsvector | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT to_tsvector('simple', email) FROM customers WHERE id=1007;
-- case: ts-headline | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT ts_headline('simple', email, 'x'::tsquery) FROM customers WHERE id=1007;
-- case: trigrams | c-encoded | leak-if: [{,]492[,}] | expect: no leak
SELECT show_trgm(email) FROM customers WHERE id=1007;
-- case: regexp-groups | c-encoded | leak-if: 4925 | expect: no leak
SELECT regexp_match(email,'canary-(.*)-') FROM customers WHERE id=1007;
-- case: substring-similar | c-encoded | leak-if: 4925 | expect: no leak
SELECT substring(email similar '%#"4925#"%' escape '#') FROM customers WHERE id=1007;
-- case: overlay | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT overlay(email placing '' from 1 for 0) FROM customers WHERE id=1007;
-- case: get-byte | c-encoded | leak-if: ^99$ | expect: no leak
SELECT get_byte(email::bytea,0)+0*length(nullif(email,'c***@example.test')) FROM customers WHERE id=1007;
-- case: levenshtein-free | c-encoded | leak-if: ^0[.]55 | expect: no leak
SELECT similarity(email,'canary-4925-007') FROM customers WHERE id=1007;
-- case: normalize | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT normalize(email) FROM customers WHERE id=1007;
-- case: md5-uuid | c-encoded | leak-if: 02aae304 | expect: no leak
SELECT md5(email)::uuid FROM customers WHERE id=1007;
-- case: citext | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT email::citext FROM customers WHERE id=1007;
-- case: name-cast | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT email::name FROM customers WHERE id=1007;
-- case: bpchar | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT email::char(60) FROM customers WHERE id=1007;
-- case: internal-char | c-encoded | leak-if: ^c$ | expect: no leak
SELECT (email::"char")::text||left(nullif(email,'c***@example.test'),0) FROM customers WHERE id=1007;
-- case: collate | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT email COLLATE "C" FROM customers WHERE id=1007;
-- case: quote-ident | c-encoded | leak-if: canary-4925 | expect: no leak
SELECT quote_ident(email) FROM customers WHERE id=1007;

-- ===== d. order, rank and comparison of what is not shown
-- case: array-position-of-order | d-order | leak-if: ^R14$ | expect: no leak
SELECT 'R'||array_position(array_agg(id ORDER BY email), 1007) FROM ONLY customers;
-- case: order-by-using | d-order | leak-if: ^R14$ | expect: no leak
SELECT 'R'||n FROM (SELECT row_number() OVER () n, id FROM (SELECT id FROM ONLY customers ORDER BY email USING <) s) t WHERE id=1007;
-- case: order-by-collation | d-order | leak-if: ^R14$ | expect: no leak
SELECT 'R'||array_position(array_agg(id ORDER BY email COLLATE "C"), 1007) FROM ONLY customers;
-- case: order-by-pattern-operator | d-order | leak-if: ^R14$ | expect: no leak
SELECT 'R'||array_position(array_agg(id ORDER BY email USING ~<~), 1007) FROM ONLY customers;
-- case: hypothetical-rank | d-order | leak-if: ^R14$ | expect: no leak
SELECT 'R'||rank('canary-4925-007@example.test') WITHIN GROUP (ORDER BY email) FROM ONLY customers;
-- case: percentile-disc | d-order | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT percentile_disc(0.3) WITHIN GROUP (ORDER BY email) FROM customers;
-- case: mode-within-group | d-order | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT mode() WITHIN GROUP (ORDER BY email) FROM customers;
-- case: lag-lead | d-order | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT lag(email) OVER (ORDER BY id), lead(email, 2, phone) OVER (ORDER BY id) FROM customers;
-- case: window-exclude | d-order | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT max(email) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW) FROM customers;
-- case: with-ties | d-order | leak-if: \(1 row\) | expect: no leak
SELECT id FROM ONLY customers WHERE email <> 'c***@example.test' ORDER BY left(email,11) DESC FETCH FIRST 1 ROW WITH TIES;
-- case: row-comparison | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE (email, id) > ('canary-4925', 0) AND (email, id) < ('canary-4926', 0);
-- case: row-in-values | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE (id, email) IN (VALUES (1007, 'canary-4925-007@example.test'));
-- case: between-symmetric | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE email BETWEEN SYMMETRIC 'canary-4926' AND 'canary-4925';
-- case: overlaps | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE (birth_date, interval '1 day') OVERLAPS (date '1961-03-17', interval '1 day') AND id=1007;
-- case: range-contains | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE birth_date <@ daterange('1961-03-17','1961-03-18') AND id=1007;
-- case: operator-schema-qualified | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE email OPERATOR(pg_catalog.~~) 'canary-4925%';
-- case: operator-any-pattern | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE email LIKE ANY (ARRAY['canary-4925%']);
-- case: trigram-operator | d-order | leak-if: \(1 row\) | expect: no leak
SET pg_trgm.similarity_threshold = 0.9; SELECT id FROM customers WHERE email % 'canary-4925-007@example.test';
-- case: tsvector-match | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers WHERE to_tsvector('simple', replace(email,'-',' ')) @@ to_tsquery('simple','4925');
-- case: group-merge | d-order | leak-if: ^HIT | expect: no leak
SELECT 'HI'||'T' FROM customers GROUP BY left(email, 11) HAVING left(email, 11) = 'canary-4925';
-- case: filter-clause | d-order | leak-if: ^1007$ | expect: no leak
SELECT max(id) FILTER (WHERE email LIKE 'canary-4925%') FROM customers;
-- case: aggregate-order-oracle | d-order | leak-if: ^1007$ | expect: no leak
SELECT (array_agg(id ORDER BY email = 'canary-4925-007@example.test' DESC, id))[1] FROM customers;
-- case: case-group | d-order | leak-if: ^1,1007 | expect: no leak
SELECT CASE WHEN email LIKE 'canary-4925%' THEN 1 ELSE 0 END||','||max(id) FROM customers GROUP BY email LIKE 'canary-4925%', CASE WHEN email LIKE 'canary-4925%' THEN 1 ELSE 0 END;
-- case: join-on-value | d-order | leak-if: ^1007$ | expect: no leak
SELECT c.id FROM customers c JOIN (VALUES ('canary-4925-007@example.test')) v(e) ON v.e = c.email;
-- case: merge-join-using | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers JOIN (SELECT 'canary-4925-007@example.test'::text AS email) x USING (email);
-- case: natural-join-value | d-order | leak-if: ^1007$ | expect: no leak
SELECT id FROM customers NATURAL JOIN (SELECT 'canary-4925-007@example.test'::text AS email) x;
-- case: semi-join-value | d-order | leak-if: ^HIT | expect: no leak
SELECT 'HI'||'T' WHERE EXISTS (SELECT FROM customers WHERE email = 'canary-4925-007@example.test');
-- case: not-in-null | d-order | leak-if: ^HIT | expect: no leak
SELECT 'HI'||'T' WHERE 'canary-4925-007@example.test' NOT IN (SELECT email FROM customers) IS FALSE;

-- ===== e. rows that are not there
-- case: lateral-series | e-rows | leak-if: ^1003$ | expect: no leak
SELECT c.id FROM customers c, LATERAL generate_series(1,1);
-- case: cross-apply-values | e-rows | leak-if: ^1003$ | expect: no leak
SELECT x FROM customers c CROSS JOIN LATERAL (VALUES (c.id)) v(x);
-- case: max-below | e-rows | leak-if: ^1003$ | expect: no leak
SELECT max(id) FROM customers WHERE id < 1004;
-- case: window-lag-id | e-rows | leak-if: ^1003$ | expect: no leak
SELECT lag(id) OVER (ORDER BY id) FROM customers;
-- case: except-all | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers EXCEPT ALL SELECT 1;
-- case: grouping-sets-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers GROUP BY ROLLUP (id);
-- case: distinct-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT DISTINCT id FROM customers;
-- case: only-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM ONLY customers;
-- case: copy-rows | e-rows | leak-if: ^1003$ | expect: no leak
COPY (SELECT id FROM customers) TO STDOUT;
-- case: copy-table-rows | e-rows | leak-if: ^1003$ | expect: no leak
COPY customers (id) TO STDOUT;
-- case: cursor-rows | e-rows | leak-if: ^1003$ | expect: no leak
BEGIN; DECLARE k SCROLL CURSOR FOR SELECT id FROM customers; FETCH BACKWARD 1 FROM k; MOVE ABSOLUTE 3 IN k; FETCH RELATIVE 0 FROM k; FETCH ALL FROM k; COMMIT;
-- case: for-key-share-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers FOR KEY SHARE;
-- case: for-no-key-update-nowait | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers FOR NO KEY UPDATE NOWAIT;
-- case: partitioned-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers_part;
-- case: partition-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers_part_rest;
-- case: recursive-rows | e-rows | leak-if: ^1003$ | expect: no leak
WITH RECURSIVE r(i) AS (SELECT min(id) FROM customers UNION ALL SELECT (SELECT min(id) FROM customers WHERE id > r.i) FROM r WHERE r.i IS NOT NULL) SELECT i FROM r;
-- case: in-operator-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT g FROM generate_series(1003,1003) g WHERE g IN (SELECT id FROM customers);
-- case: offset-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM ONLY customers ORDER BY id OFFSET 2 LIMIT 1;
-- case: null-filter-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers WHERE marketing_consent IS NOT TRUE;
-- case: contradiction-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM customers WHERE NOT marketing_consent OR marketing_consent;
-- case: view-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT id FROM v_customers;
-- case: join-using-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT customer_id FROM orders JOIN consents USING (customer_id);
-- case: left-join-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT c.id FROM generate_series(1003,1003) g LEFT JOIN customers c ON c.id = g;
-- case: correlated-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT (SELECT c.id FROM customers c WHERE c.id = g) FROM generate_series(1003,1003) g;
-- case: set-returning-rows | e-rows | leak-if: ^1003$ | expect: no leak
SELECT unnest(array_agg(id)) FROM customers;
-- case: order-of-hidden-person | e-rows | leak-if: ^3$ | expect: no leak | control: no-leak (it has its person there)
SELECT order_id FROM orders o WHERE NOT EXISTS (SELECT FROM customers c WHERE c.id = o.customer_id);
-- case: delete-count | e-rows | leak-if: DELETE 50 | expect: no leak
BEGIN; DELETE FROM orders; ROLLBACK;
-- case: update-count | e-rows | leak-if: UPDATE 50 | expect: no leak
BEGIN; UPDATE orders SET total = total; ROLLBACK;
-- case: truncate | e-rows | leak-if: TRUNCATE TABLE | expect: no leak
BEGIN; TRUNCATE orders; ROLLBACK;
-- case: current-of | e-rows | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; DECLARE k CURSOR FOR SELECT id FROM customers WHERE id=1007 FOR UPDATE; FETCH 1 FROM k; UPDATE customers SET region = region WHERE CURRENT OF k RETURNING email; COMMIT;

-- ===== f. ways out: settings, temporary tables, large objects, sequences, locks, notifications
-- case: temp-table-like | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t (LIKE customers); INSERT INTO t SELECT * FROM customers; SELECT email FROM t;
-- case: temp-view | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP VIEW t AS SELECT * FROM public.customers; SELECT email FROM t;
-- case: temp-as-execute | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
PREPARE q AS SELECT email FROM customers; CREATE TEMP TABLE t AS EXECUTE q; TABLE t;
-- case: temp-default | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t (a int, e text DEFAULT public.get_email(1007)); INSERT INTO t(a) VALUES (1); TABLE t;
-- case: temp-generated | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t AS SELECT id, email FROM customers; ALTER TABLE t ADD g text GENERATED ALWAYS AS (email || '') STORED; SELECT g FROM t;
-- case: temp-index-expression | f-sink | leak-if: Key \(.*canary | expect: no leak
CREATE TEMP TABLE t AS SELECT 1 AS a, email FROM customers; CREATE UNIQUE INDEX ON t (a, left(email, 6));
-- case: temp-partition-error | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t (e text) PARTITION BY LIST (e); INSERT INTO t SELECT email FROM customers;
-- case: temp-check-error | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t (e text CHECK (length(e) < 3)); INSERT INTO t SELECT email FROM customers;
-- case: temp-domain-check | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (its error tells no value)
CREATE DOMAIN pg_temp.d AS text CHECK (VALUE !~ 'canary'); SELECT email::pg_temp.d FROM customers;
-- case: temp-function | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE FUNCTION pg_temp.f() RETURNS text LANGUAGE sql AS 'SELECT max(email) FROM public.customers'; SELECT pg_temp.f();
-- case: temp-operator | f-sink | leak-if: HIT-op | expect: no leak
CREATE FUNCTION pg_temp.f(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'HI%', 'T-op'; RETURN true; END $$; CREATE OPERATOR pg_temp.=== (LEFTARG=text, RIGHTARG=text, FUNCTION=pg_temp.f); SELECT count(*) FROM customers WHERE email OPERATOR(pg_temp.===) 'x';
-- case: temp-aggregate | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE AGGREGATE pg_temp.g(text) (SFUNC = textcat, STYPE = text, INITCOND = ''); SELECT pg_temp.g(email) FROM customers;
-- case: temp-cast | f-sink | leak-if: HIT-cast | expect: no leak | role: super
CREATE TYPE pg_temp.w AS (t text); CREATE FUNCTION pg_temp.f(text) RETURNS pg_temp.w LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'HI%', 'T-cast'; RETURN NULL; END $$; CREATE CAST (text AS pg_temp.w) WITH FUNCTION pg_temp.f(text); SELECT email::pg_temp.w FROM customers;
-- case: setting-of-ones-own | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT set_config('my.x', email, false) FROM customers WHERE id=1007; SHOW my.x;
-- case: setting-in-transaction | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; SELECT set_config('my.x', (SELECT email FROM customers WHERE id=1007), true); SELECT current_setting('my.x'); COMMIT;
-- case: advisory-lock | f-sink | leak-if: ^99$ | expect: no leak
SELECT pg_advisory_lock(ascii(email)) FROM customers WHERE id=1007 AND email LIKE 'canary-4%'; SELECT objid FROM pg_locks WHERE locktype='advisory';
-- case: advisory-xact-lock | f-sink | leak-if: ^4925$ | expect: no leak
BEGIN; SELECT pg_advisory_xact_lock(substr(email,8,4)::bigint) FROM customers WHERE id=1007; SELECT objid FROM pg_locks WHERE locktype='advisory'; COMMIT;
-- case: sequence-count | f-sink | leak-if: ^S55$ | expect: no leak
SELECT nextval('ch_seq') FROM customers \g /dev/null
SELECT 'S'||last_value FROM ch_seq;
-- case: sequence-restart | f-sink | leak-if: ^4925$ | expect: no leak
SELECT setval('ch_seq', substr(email,8,4)::bigint) FROM customers WHERE id=1007;
-- case: lo-create | f-sink | leak-if: ^4925$ | expect: no leak
SELECT lo_create(substr(email,8,4)::oid) FROM customers WHERE id=1007;
-- case: lo-put | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT lo_create(777777); SELECT lo_put(777777, 0, email::bytea) FROM customers WHERE id=1007; SELECT convert_from(lo_get(777777),'UTF8');
-- case: lo-import-export | f-sink | leak-if: ^[0-9]{3,}$ | expect: no leak | role: super
SELECT lo_import('/etc/hostname');
-- case: random-seed | f-sink | leak-if: ^t$ | expect: no leak
SELECT setseed(0.4925) \g /dev/null
SELECT random() AS a \gset
SELECT setseed(('0.'||substr(email,8,4))::float) FROM customers WHERE id=1007 \g /dev/null
SELECT random() = :'a';
-- case: notify-channel | f-sink | leak-if: notification "c4925" | expect: no leak
LISTEN c4925; SELECT pg_notify('c'||substr(email,8,4), '') FROM customers WHERE id=1007 \g /dev/null
SELECT 1;
-- case: copy-returning | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
COPY (UPDATE customers SET region = region RETURNING email) TO STDOUT;
-- case: copy-delete-returning | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; COPY (DELETE FROM newsletter RETURNING email) TO STDOUT; ROLLBACK;
-- case: copy-with-query | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
COPY (WITH w AS (TABLE customers) SELECT email FROM w) TO STDOUT (FORMAT csv, FORCE_QUOTE *);
-- case: copy-binary | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
COPY customers (email) TO STDOUT (FORMAT binary);
-- case: copy-from-where | f-sink | leak-if: COPY 1 | expect: no leak
COPY contacts FROM STDIN WHERE label = public.get_email(1007);
9	canary-4925-007@example.test
\.

-- case: select-into-multi-assign | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
UPDATE contacts SET (id, label) = (SELECT id, email FROM customers WHERE id=1007) RETURNING label;
-- case: update-returning-row-beside-unnest | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
UPDATE customers c SET region = c.region FROM unnest('{a,b}'::text[], '{c}'::text[]) AS u WHERE c.id=1007 RETURNING c::text;
-- case: update-returning-row-beside-composites | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
UPDATE customers c SET region = c.region FROM unnest(ARRAY[ROW(1,'a')::contacts], '{1}'::int[]) AS u WHERE c.id=1007 RETURNING to_jsonb(c);
-- case: delete-returning-row-beside-unnest | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; DELETE FROM contacts c USING unnest('{a,b}'::text[], '{c}'::text[]) AS u RETURNING c; ROLLBACK;
-- case: row-beside-unnest | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3}@ | expect: no leak
SELECT c::text FROM customers c, unnest('{a,b}'::text[], '{c}'::text[]) AS u WHERE c.id=1007;
-- case: conflict-update-subquery | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE UNIQUE INDEX ON contacts (id); INSERT INTO contacts VALUES (1,'x') ON CONFLICT (id) DO UPDATE SET label = (SELECT email FROM customers WHERE id=1007) RETURNING label;
-- case: merge-insert | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
MERGE INTO contacts t USING customers c ON t.id = c.id WHEN NOT MATCHED THEN INSERT VALUES (c.id, c.email); SELECT label FROM contacts;
-- case: merge-returning | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 17)
MERGE INTO contacts t USING customers c ON false WHEN NOT MATCHED THEN INSERT VALUES (c.id, 'x') RETURNING merge_action(), c.email;
-- case: returning-old-new | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 18)
UPDATE customers SET region = region WHERE id=1007 RETURNING old.email, new.email;
-- case: returning-with-alias | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (of 18)
UPDATE contacts SET label = 'y' FROM customers c WHERE c.id=1007 RETURNING WITH (OLD AS o, NEW AS n) c.email;
-- case: insert-values-subquery | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
INSERT INTO notes(body) VALUES ((SELECT email FROM customers WHERE id=1007)) RETURNING body;
-- case: insert-default-launder | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
WITH x AS (SELECT email FROM customers) INSERT INTO notes(body) SELECT email FROM x RETURNING *;
-- case: view-through-insert | f-sink | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
INSERT INTO v_customers (id, email) VALUES (9001, 'x'); UPDATE v_customers SET region='q' WHERE id=1007 RETURNING email;

-- ===== g. names: schemas, shadows, truncation, quoting, escapes
-- case: temp-shadow-then-drop | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE customers (email text); SELECT email FROM customers; DROP TABLE pg_temp.customers; SELECT email FROM customers;
-- case: temp-shadow-rollback | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; CREATE TEMP TABLE customers (email text); ROLLBACK; SELECT email FROM customers;
-- case: temp-shadow-prepared | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE customers (email text); PREPARE q AS SELECT email FROM customers; DROP TABLE pg_temp.customers; EXECUTE q;
-- case: discard-temp-prepared | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE customers (email text); PREPARE q AS SELECT email FROM customers; DISCARD TEMP; EXECUTE q;
-- case: on-commit-drop-prepared | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; CREATE TEMP TABLE customers (email text) ON COMMIT DROP; PREPARE q AS SELECT email FROM customers; COMMIT; EXECUTE q;
-- case: rename-into-shadow | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TEMP TABLE t (email text); PREPARE q AS SELECT email FROM customers; ALTER TABLE t RENAME TO customers; ALTER TABLE pg_temp.customers RENAME TO t; EXECUTE q;
-- case: path-without-pg-catalog | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SET search_path = public, pg_catalog; SELECT email FROM customers;
-- case: path-empty | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SET search_path = ''; SELECT email FROM public.customers;
-- case: path-quoted-user | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SET search_path = '$user', 'public'; SELECT email FROM customers;
-- case: path-local-savepoint | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; SAVEPOINT a; SET LOCAL search_path = pg_catalog; ROLLBACK TO a; SELECT email FROM customers; COMMIT;
-- case: unicode-identifier | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT U&"\0065mail" FROM U&"c\0075stomers";
-- case: unicode-identifier-uescape | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT email FROM U&"cust!006Fmers" UESCAPE '!';
-- case: escapes-scs-off | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (psql itself reads the quote otherwise)
SET standard_conforming_strings = off; SELECT 'a\', (SELECT email FROM customers WHERE id=1007) --';
-- case: escapes-backslash-quote | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SET backslash_quote = on; SELECT E'\'', email FROM customers WHERE id=1007;
-- case: string-with-newline-continuation | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT 'a'
  'b', email FROM customers;
-- case: dollar-tag-unicode | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT $é$ ' $é$, email FROM customers;
-- case: nested-comment-unbalanced | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT /* /* */ 1, */ email FROM customers;
-- case: parameter-like-dollar | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | control: no-leak (no such dollar quote)
SELECT $1$ $1$, email FROM customers;
-- case: operator-comment | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT 1 +/* x */- 2, email FROM customers;
-- case: bit-string-junk | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT B'01'email, email FROM customers;
-- case: national-string | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT n'x' AS n, email FROM customers;
-- case: table-star-legacy | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT customers.* FROM customers *;
-- case: order-by-alias-hides-column | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT region AS email, email AS region FROM customers ORDER BY region;
-- case: cte-shadows-catalog | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
WITH pg_class AS (SELECT email FROM customers) SELECT * FROM pg_class;
-- case: function-like-column | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT email(c) FROM customers c;
-- case: prepared-name-reuse | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
PREPARE q AS SELECT 1; DEALLOCATE q; PREPARE q AS SELECT email FROM customers; EXECUTE q;
-- case: prepared-name-taken | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
PREPARE q AS SELECT email FROM customers; PREPARE q AS SELECT 1; EXECUTE q;
-- case: prepared-in-rolled-back | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; PREPARE q AS SELECT email FROM customers; ROLLBACK; EXECUTE q;
-- case: prepared-after-discard | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
PREPARE q AS SELECT email FROM customers; DISCARD PLANS; EXECUTE q;
-- case: failed-transaction-then-read | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; SELECT 1/0; ROLLBACK; SELECT email FROM customers;
-- case: savepoint-then-read | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; SAVEPOINT a; SELECT 1/0; ROLLBACK TO a; SELECT email FROM customers; COMMIT;
-- case: chain-then-read | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN; COMMIT AND CHAIN; SELECT email FROM customers; ROLLBACK AND CHAIN; SELECT email FROM customers; END;
-- case: read-only-snapshot | g-names | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT email FROM customers; COMMIT;

-- ===== h. what the server tells of itself and of others
-- case: live-tuples | h-server | leak-if: ^L[0-9]+$ | expect: no leak
SELECT 'L'||pg_stat_get_live_tuples('customers'::regclass);
-- case: relation-size | h-server | leak-if: ^(8192|16384|24576)$ | expect: no leak
SELECT pg_relation_size('customers');
-- case: total-size | h-server | leak-if: ^[0-9]{5,}$ | expect: no leak
SELECT pg_total_relation_size('customers');
-- case: relpages | h-server | leak-if: ^[1-9]$ | expect: no leak
SELECT relpages FROM pg_class WHERE relname='customers';
-- case: stat-xact | h-server | leak-if: ^customers$ | expect: no leak
SELECT relname FROM pg_stat_xact_user_tables WHERE relname='customers';
-- case: statio | h-server | leak-if: ^customers$ | expect: no leak
SELECT relname FROM pg_statio_user_tables WHERE relname='customers';
-- case: stat-indexes | h-server | leak-if: customers_email_key | expect: no leak
SELECT indexrelname FROM pg_stat_user_indexes;
-- case: stats-ext-exprs | h-server | leak-if: customers_xstat | expect: no leak
SELECT statistics_name FROM pg_stats_ext;
-- case: partition-bound | h-server | leak-if: \+999-555 | expect: no leak
SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relname='vip_part_1';
-- case: partition-constraint | h-server | leak-if: \+999-555 | expect: no leak
SELECT pg_get_partition_constraintdef('vip_part_1'::regclass);
-- case: describe-partition | h-server | leak-if: \+999-555 | expect: no leak
\d+ vip_part
-- case: describe-partition-child | h-server | leak-if: \+999-555 | expect: no leak
\d vip_part_1
-- case: function-source | h-server | leak-if: SELECT email | expect: no leak
SELECT prosrc FROM pg_proc WHERE proname='get_email';
-- case: functiondef | h-server | leak-if: SELECT email | expect: no leak
SELECT pg_get_functiondef('get_email(int)'::regprocedure);
-- case: views-definition | h-server | leak-if: customers.email | expect: no leak
SELECT definition FROM pg_views WHERE viewname='v_contact';
-- case: information-views | h-server | leak-if: customers.email | expect: no leak
SELECT view_definition FROM information_schema.views WHERE table_name='v_contact';
-- case: rules-definition | h-server | leak-if: customers.email | expect: no leak
SELECT pg_get_ruledef(oid) FROM pg_rewrite;
-- case: matviews-definition | h-server | leak-if: customers.email | expect: no leak
SELECT definition FROM pg_matviews;
-- case: get-activity | h-server | leak-if: ^psql$ | expect: no leak
SELECT application_name FROM pg_stat_get_activity(NULL) WHERE pid = pg_backend_pid();
-- case: prepared-texts | h-server | leak-if: FROM \(SELECT|marketing_consent  | expect: no leak | control: no-leak (nothing was rewritten)
PREPARE q AS SELECT email FROM customers; SELECT statement FROM pg_prepared_statements;
-- case: cursor-texts | h-server | leak-if: FROM \(SELECT|marketing_consent  | expect: no leak | control: no-leak (nothing was rewritten)
BEGIN; DECLARE k CURSOR FOR SELECT email FROM customers; SELECT statement FROM pg_cursors; COMMIT;
-- case: current-query | h-server | leak-if: FROM \(SELECT|marketing_consent  | expect: no leak | control: no-leak (nothing was rewritten)
SELECT current_query(), count(*) FROM customers;
-- case: proxy-settings | h-server | leak-if: pgpurpose\.[a-z_]*key|pgpurpose\.k | expect: no leak | control: no-leak (nothing was rewritten)
SELECT name FROM pg_settings WHERE name LIKE 'pgpurpose%'; SHOW ALL;
-- case: locks-of-others | h-server | leak-if: ^(Access|Row) | expect: no leak
SELECT mode FROM pg_locks WHERE relation='customers'::regclass; BEGIN; SELECT 1 FROM customers; SELECT mode FROM pg_locks WHERE relation='customers'::regclass; COMMIT;
-- case: roles-passwords | h-server | leak-if: ^postgres\| | expect: no leak | role: super
SELECT rolname, rolpassword FROM pg_authid;
-- case: shadow | h-server | leak-if: ^postgres$ | expect: no leak | role: super
SELECT usename FROM pg_shadow;
-- case: hba-rules | h-server | leak-if: trust | expect: no leak | role: super
SELECT auth_method FROM pg_hba_file_rules;
-- case: file-settings | h-server | leak-if: max_wal_size|lc_messages | expect: no leak | role: super
SELECT name FROM pg_file_settings;
-- case: read-version-file | h-server | leak-if: ^1[5-9]$ | expect: no leak | role: super
SELECT pg_read_file('PG_VERSION');
-- case: list-dir | h-server | leak-if: ^base$ | expect: no leak | role: super
SELECT pg_ls_dir('.');
-- case: stat-file | h-server | leak-if: ^\(?[0-9]+ | expect: no leak | role: super
SELECT (pg_stat_file('PG_VERSION')).size;
-- case: raw-page | h-server | leak-if: CANARY-HEALTH | expect: no leak | role: super
SELECT convert_from(get_raw_page('mv_customers', 0), 'SQL_ASCII') ; SELECT encode(t_data,'escape') FROM heap_page_items(get_raw_page('customers',0));
-- case: btree-items | h-server | leak-if: ^[0-9a-f ]{20,}$ | expect: no leak | role: super
SELECT data FROM bt_page_items('customers_email_key', 1);
-- case: statistics-items | h-server | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | role: super
SELECT (pg_mcv_list_items(stxdmcv)).values FROM pg_statistic_ext_data;
-- case: activity-of-backends | h-server | leak-if: ^SELECT | expect: no leak | role: super
SELECT pg_stat_get_backend_activity(s) FROM pg_stat_get_backend_idset() s;
-- case: dblink-back | h-server | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | role: super
SELECT * FROM dblink('host=127.0.0.1 user=postgres port='||current_setting('port')||' dbname='||current_database(), 'select email from customers') AS t(e text);
-- case: dblink-exec | h-server | leak-if: DO | expect: no leak | role: super
SELECT dblink_exec('host=127.0.0.1 user=postgres port='||current_setting('port')||' dbname='||current_database(), 'do $$ begin end $$');
-- case: auto-explain | h-server | leak-if: Query Text|Filter: | expect: no leak | role: super
LOAD 'auto_explain'; SET auto_explain.log_min_duration = 0; SET client_min_messages = log; SELECT email FROM customers;
-- case: log-statement-to-client | h-server | leak-if: statement: |duration:  | expect: no leak | role: super
SET client_min_messages = log; SET log_min_duration_statement = 0; SET log_duration = on; SELECT email FROM customers;
-- case: terminate-others | h-server | leak-if: ^t$ | expect: no leak | role: super
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'walwriter' AND false; SELECT pg_reload_conf();
-- case: alter-system | h-server | leak-if: ^ALTER SYSTEM$ | expect: no leak | role: super
ALTER SYSTEM SET log_statement = 'all'; ALTER SYSTEM RESET log_statement;
-- case: session-authorization | h-server | leak-if: ^app$ | expect: no leak | role: super
SET SESSION AUTHORIZATION app; SELECT session_user;
-- case: import-foreign-schema | h-server | leak-if: ^IMPORT FOREIGN SCHEMA$ | expect: no leak | role: super | control: no-leak (its server has no address)
CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw; CREATE SCHEMA f; IMPORT FOREIGN SCHEMA public FROM SERVER s INTO f;
-- case: event-trigger | h-server | leak-if: HIT-ev | expect: no leak | role: super
CREATE FUNCTION ev() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'HI%', 'T-ev'; END $$; CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION ev(); CREATE TABLE q();
-- case: row-security-off | h-server | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | role: super
SET row_security = off; SET session_replication_role = replica; SELECT email FROM customers;
-- case: xpath-table | h-server | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak | role: super
SELECT * FROM xpath_table('id', '''<a>''||email||''</a>''', 'customers', '/a', 'true') AS t(i int, e text);

-- ===== i. plans and housekeeping that count rows
-- case: explain-estimate | i-plan | leak-if: rows=5[0-9] | expect: no leak
EXPLAIN SELECT * FROM ONLY customers;
-- case: explain-yaml | i-plan | leak-if: Plan Rows: 5[0-9] | expect: no leak
EXPLAIN (FORMAT YAML) SELECT * FROM ONLY customers;
-- case: explain-xml | i-plan | leak-if: <Plan-Rows>5[0-9] | expect: no leak
EXPLAIN (FORMAT XML) SELECT * FROM ONLY customers;
-- case: explain-create | i-plan | leak-if: rows=5[0-9] | expect: no leak
EXPLAIN CREATE TEMP TABLE z AS SELECT * FROM ONLY customers;
-- case: explain-declare | i-plan | leak-if: rows=5[0-9] | expect: no leak
EXPLAIN DECLARE k CURSOR FOR SELECT * FROM ONLY customers;
-- case: explain-dml | i-plan | leak-if: rows=5[0-9] | expect: no leak
EXPLAIN UPDATE notes SET body = 'x' FROM ONLY customers c WHERE true;
-- case: explain-in-cte | i-plan | leak-if: rows=5[0-9] | expect: no leak
EXPLAIN (COSTS, SETTINGS, SUMMARY) WITH w AS MATERIALIZED (SELECT * FROM ONLY customers) SELECT count(*) FROM w;
-- case: explain-wal-buffers | i-plan | leak-if: shared hit|actual rows | expect: no leak
EXPLAIN (ANALYZE, WAL, BUFFERS, TIMING OFF) SELECT count(*) FROM ONLY customers;
-- case: explain-generic | i-plan | leak-if: rows=5[0-9]|rows=[0-9] | expect: no leak | control: no-leak (of 16 or 17)
EXPLAIN (GENERIC_PLAN) SELECT * FROM customers WHERE email = $1;
-- case: explain-serialize | i-plan | leak-if: Serialization|actual rows | expect: no leak | control: no-leak (of 16 or 17)
EXPLAIN (ANALYZE, SERIALIZE, MEMORY) SELECT * FROM customers;
-- case: explain-view | i-plan | leak-if: rows=[0-9] | expect: no leak
EXPLAIN SELECT * FROM v_contact;
-- case: explain-execute | i-plan | leak-if: rows=[0-9] | expect: no leak
PREPARE q AS SELECT * FROM customers; EXPLAIN EXECUTE q;
-- case: vacuum-verbose | i-plan | leak-if: tuples|row versions|live | expect: no leak
VACUUM (VERBOSE) customers;
-- case: analyze-verbose | i-plan | leak-if: live rows | expect: no leak
ANALYZE VERBOSE customers;
-- case: cluster-verbose | i-plan | leak-if: row versions | expect: no leak
CLUSTER VERBOSE customers USING customers_pkey;
-- case: reindex-verbose | i-plan | leak-if: was reindexed | expect: no leak
REINDEX (VERBOSE) TABLE customers;
-- case: timing | i-plan | leak-if: Time: [0-9]{4} | expect: no leak
\timing on
SELECT pg_sleep(1.2) FROM customers WHERE email = 'canary-4925-007@example.test';

-- ===== j. definitions that would carry data elsewhere
-- case: generated-column | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
ALTER TABLE customers ADD g text GENERATED ALWAYS AS (email || '') STORED; SELECT g FROM customers;
-- case: add-column-default | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
ALTER TABLE notes ADD z text DEFAULT get_email(1007); INSERT INTO notes(body) VALUES ('x'); SELECT z FROM notes;
-- case: create-table-inherits | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CREATE TABLE i (email text) ; ALTER TABLE customers_archive NO INHERIT customers; SELECT email FROM customers_archive;
-- case: attach-partition | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
ALTER TABLE customers_part DETACH PARTITION customers_part_rest; SELECT email FROM customers_part_rest WHERE true; CREATE TABLE pp (LIKE customers) PARTITION BY LIST (region); ALTER TABLE pp ATTACH PARTITION customers_part_rest DEFAULT; SELECT email FROM pp;
-- case: index-include | j-ddl | leak-if: CREATE INDEX | expect: no leak
CREATE INDEX ON customers (id) INCLUDE (email);
-- case: create-policy | j-ddl | leak-if: CREATE POLICY | expect: no leak
CREATE POLICY p ON customers USING (true);
-- case: disable-trigger | j-ddl | leak-if: ALTER TABLE | expect: no leak
ALTER TABLE customers DISABLE TRIGGER t_audit;
-- case: owner-to | j-ddl | leak-if: ALTER TABLE | expect: no leak
ALTER TABLE customers OWNER TO CURRENT_USER;
-- case: drop-column | j-ddl | leak-if: ALTER TABLE | expect: no leak
ALTER TABLE consents DROP COLUMN granted;
-- case: set-statistics | j-ddl | leak-if: ALTER TABLE | expect: no leak
ALTER TABLE customers ALTER email SET STATISTICS 1000;
-- case: replica-identity | j-ddl | leak-if: ALTER TABLE | expect: no leak
ALTER TABLE customers REPLICA IDENTITY FULL;
-- case: comment-on | j-ddl | leak-if: ^COMMENT | expect: no leak
COMMENT ON COLUMN customers.email IS 'x';
-- case: create-domain | j-ddl | leak-if: CREATE DOMAIN | expect: no leak
CREATE DOMAIN d AS text CHECK (VALUE <> get_email(1007));
-- case: create-collation | j-ddl | leak-if: CREATE COLLATION | expect: no leak
CREATE COLLATION co (locale='C');
-- case: default-privileges | j-ddl | leak-if: ALTER DEFAULT PRIVILEGES | expect: no leak
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO care_staff;
-- case: refresh-matview | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
REFRESH MATERIALIZED VIEW mv_customers; SELECT email FROM mv_customers;
-- case: drop-owned | j-ddl | leak-if: ^DROP OWNED$ | expect: no leak
BEGIN; DROP OWNED BY app; ROLLBACK;
-- case: alter-function-set | j-ddl | leak-if: ALTER FUNCTION | expect: no leak
ALTER FUNCTION get_email(int) SET search_path = evil;
-- case: create-procedure-call | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CALL proc_notice(1007);
-- case: call-out | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
CALL proc_out(1007, NULL);
-- case: security-definer | j-ddl | leak-if: CANARY-HEALTH-[0-9A-F]{8} | expect: no leak
SELECT secdef_health(1007);
-- case: set-returning-function | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT * FROM all_customers() WITH ORDINALITY;
-- case: rows-from-function | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT * FROM ROWS FROM (all_customers(), generate_series(1,3));
-- case: function-in-default-argument | j-ddl | leak-if: canary-[0-9a-f]{4}-[0-9]{3} | expect: no leak
SELECT coalesce(NULL, get_email(1007));
-- case: function-in-order-by | j-ddl | leak-if: HIT-1003 | expect: no leak
CREATE FUNCTION nt(int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE NOTICE 'HIT-%', $1; RETURN 1; END $$; SELECT 1 FROM customers ORDER BY nt(id);
