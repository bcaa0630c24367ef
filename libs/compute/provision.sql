-- What the pipeline's role needs in its database, and nothing else. May be repeated.
-- Run inside that database, in a session that has set spatial_etl.role and spatial_etl.password
-- (a SCRAM verifier, or clear text, which the server turns into one).
-- Two callers: libs/compute/admin.py and services/postgis/start.sh.
DO $$
DECLARE
    pipeline text := current_setting('spatial_etl.role');
    known text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = pipeline) THEN
        EXECUTE format('CREATE ROLE %I LOGIN', pipeline);
    END IF;
    EXECUTE format('ALTER ROLE %I PASSWORD %L', pipeline, current_setting('spatial_etl.password'));
    FOREACH known IN ARRAY ARRAY[current_database()::text, 'postgres', 'template1'] LOOP
        EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', known);
    END LOOP;
    EXECUTE format(
        'GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO %I', current_database(), pipeline);
    CREATE EXTENSION IF NOT EXISTS postgis;
    EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', pipeline);
    -- A file may bring a CRS that spatial_ref_sys does not list; the pipeline adds its row.
    EXECUTE format('GRANT SELECT, INSERT ON spatial_ref_sys TO %I', pipeline);
END
$$;
