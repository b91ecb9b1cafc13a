SELECT 'canaryliteral', E'canary\nescape', $$canarydollar$$, $canarytag$x$canarytag$, U&'canary\0041', B'1', 123456
SELECT name AS canaryalias, email AS "Canary Alias" FROM customers AS canarytable WHERE note = 'canarynote'
SELECT canarytable.* FROM customers canarytable (canary_a, canary_b) WHERE canary_a > 0
WITH canarycte AS (SELECT 'canary' AS canarycol) SELECT canarycol FROM canarycte
SELECT canarycolumn FROM customers
SELECT * FROM canaryrelation
SELECT canaryfunction('canary')
SELECT "Canary Column" FROM "Canary Schema"."Canary Table"
SELECT 'canary'::int
SELECT name::int FROM customers
SELECT 1/0 AS canarydivision
SELECT /* canarycomment */ 1 -- canarylinecomment
SELECT 1 /*canarykey='canaryvalue'*/
SELECT 1 /*purpose='wordpurpose'*/
SELECT 1 /*route='wordroute',action='wordaction',canary='canary'*/
SELECT 1 /*traceparent='00-canary7651916cd43dd8448eb211c8031-b7ad6b7169203331-01'*/
SELECT 1 /*purpose='care',reason='wordreason',actor='wordactor'*/
SELECT 1 /*subject='canarysubject'*/
SELECT email FROM customers /*purpose='care',reason='wordreason'*/
SELECT email FROM customers /*purpose='emergency',reason='wordreason'*/
BEGIN
SAVEPOINT canarysavepoint
ROLLBACK TO canarysavepoint
DECLARE canarycursor CURSOR FOR SELECT name FROM customers
FETCH 2 FROM canarycursor
MOVE 1 FROM canarycursor
CLOSE canarycursor
COMMIT
PREPARE canarystatement(text) AS SELECT $1, 'canaryprepared'
EXECUTE canarystatement('canaryargument')
EXECUTE canarynosuch('canary')
DEALLOCATE canarystatement
SET search_path = canarypath, public
RESET search_path
SET work_mem = 'canarymemory'
SET canary.setting = 'canaryset'
SET application_name = 'wordapplication'
SELECT set_config('canary.x', 'canaryconfig', false)
SHOW canary.setting
SELECT current_setting('canary.missing')
LISTEN canarychannel
NOTIFY canarychannel, 'canarypayload'
SELECT pg_notify('canarychannel', 'canarypayload')
INSERT INTO customers VALUES (6, 'canaryinsert', 'canary6@example.com', 'x') RETURNING name
INSERT INTO customers VALUES (6, 'canaryinsert', 'canary6@example.com', 'x')
UPDATE customers SET name = 'canaryupdate' WHERE email = 'canary6@example.com'
DELETE FROM customers WHERE note LIKE '%canary%' AND id = 6
SELECT speak('canaryspeech')
EXPLAIN SELECT * FROM customers WHERE name = 'canaryplan'
CREATE TABLE canarycreated (canarycolumn text DEFAULT 'canarydefault')
COMMENT ON TABLE customers IS 'canarycommenton'
DO $$ BEGIN RAISE EXCEPTION 'canarydo'; END $$
COPY (SELECT 'canarycopy' AS canarycopied) TO STDOUT
COPY customers TO '/tmp/canaryfile'
COPY customers FROM PROGRAM 'echo canary'
SELECT * FROM customers FOR UPDATE OF canarylock
SELECT $1 || 'canary
SELECT "canaryunterminated
SELECT canary canary canary FROM FROM
SELECT name FROM customers ORDER BY name COLLATE "canarycollation"
SELECT name FROM customers WHERE name ~ 'canary(' 
SELECT xmlparse(document '<canary>')
SELECT json 'canary'
SELECT CAST('canary' AS canarytype)
SELECT id FROM customers WINDOW canarywindow AS (PARTITION BY id)
VALUES ('canaryvalues'), ('canaryother')
TABLE canarybare
MERGE INTO customers canarymerge USING customers s ON canarymerge.id = s.id WHEN MATCHED THEN UPDATE SET name = 'canary'
GRANT SELECT ON customers TO canaryrole
SET ROLE canaryrole
SECURITY LABEL ON TABLE customers IS 'canary'
SELECT 1 /* canary /* canarynested */ canary */
SELECT 1 /*"canarykey"='canaryvalue',canary%20key='canary%27value'*/
SET pgpurpose.subject = 'canarysubject'
SELECT email FROM customers WHERE id = 1
RESET pgpurpose.subject
SET pgpurpose.canary = 'canarysetting'
SET SESSION CHARACTERISTICS AS canarytransaction
SELECT set_config('pgpurpose.purpose', 'wordpurpose', false)
RESET pgpurpose.purpose
SET pgpurpose.purpose TO 'wordpurpose'
SET pgpurpose.purpose TO DEFAULT
EXPLAIN (PGPURPOSE) SELECT name AS canaryalias FROM customers WHERE note = 'canarynote'
EXPLAIN (PGPURPOSE, FORMAT JSON) SELECT canaryfunction('canary')
UNLISTEN canarychannel
ALTER TABLE customers RENAME COLUMN note TO canarynew
CREATE TEMPORARY TABLE canarytemporary (canarycolumn text)
INSERT INTO canarytemporary VALUES ('canaryinserted')
SELECT canarycolumn FROM canarytemporary
DROP TABLE canarytemporary
