package doctor_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/bridge/doctor"
	"postern/database"
	"postern/database/pgtest"
)

// of returns the finding of a check.
func of(t *testing.T, findings []doctor.Finding, check string) doctor.Finding {
	t.Helper()
	at := slices.IndexFunc(findings, func(finding doctor.Finding) bool { return finding.Check == check })
	if at < 0 {
		t.Fatalf("nothing is said about %s: %+v", check, findings)
	}
	return findings[at]
}

func wantOK(t *testing.T, findings []doctor.Finding, checks ...string) {
	t.Helper()
	for _, check := range checks {
		if found := of(t, findings, check); found.Status != doctor.OK {
			t.Errorf("%+v", found)
		}
	}
}

func TestADatabaseThatIsOpenAlreadyIsUsedAndLeftOpen(t *testing.T) {
	i := install(t)
	i.options.Database = i.raw
	for range 2 {
		wantOK(t, i.examine(), "database.open", "database.schema", "database.write", "secret.key", "keys.signing", "users.waiting")
	}
	var one int
	if err := i.raw.QueryRow(context.Background(), "SELECT 1").Scan(&one); err != nil {
		t.Error(err)
	}
}

// TestABridgeThatWritesIsNotInTheWay, nor the other way round: a transaction that is open blocks nobody who reads.
func TestABridgeThatWritesIsNotInTheWay(t *testing.T) {
	i := install(t)
	err := i.raw.DoTxn(context.Background(), nil, func(ctx context.Context) error {
		if err := i.db.KV().Set(ctx, "test", []byte("x")); err != nil {
			return err
		}
		wantOK(t, i.examine(), "database.open", "database.schema", "database.write", "secret.key", "keys.signing", "users.waiting")
		return nil
	})
	i.must(err)
}

func TestADatabaseOfABridgeThatWasKilledIsRead(t *testing.T) {
	i := install(t)
	i.exec("UPDATE postern_provider_key SET created = created + 1") // is in the write-ahead log only
	for _, name := range []string{"whole", "without index"} {
		dir := t.TempDir()
		for _, suffix := range []string{"", "-wal", "-shm"} {
			if name == "without index" && suffix == "-shm" {
				continue
			}
			content, err := os.ReadFile(i.cfg.Database.URI + suffix)
			i.must(err)
			i.must(os.WriteFile(filepath.Join(dir, "postern.db"+suffix), content, 0o600))
		}
		changed := *i.cfg
		changed.Database.URI = filepath.Join(dir, "postern.db")
		i.options.Config = &changed
		findings := i.examine()
		wantOK(t, findings, "database.open", "database.schema", "secret.key", "keys.signing")
		if t.Failed() {
			t.Log(name)
		}
	}
}

func TestPostgreSQL(t *testing.T) {
	uri := pgtest.URI(t)
	if uri == "" {
		cannotRun("there is no PostgreSQL")
		return
	}
	ctx := context.Background()
	i := install(t)
	key, err := database.LoadSecretKey(ctx, i.raw, database.SecretKeySource{File: i.cfg.SecretKeyFile})
	i.must(err)
	i.cfg.Database = config.Database{Type: config.Postgres, URI: uri}
	findings := i.examine()
	if schema := of(t, findings, "database.schema"); schema.Status != doctor.Note {
		t.Errorf("an empty database: %+v", schema)
	}

	raw, err := database.Open(ctx, "postgres", uri, zerolog.Nop())
	i.must(err)
	defer raw.Close()
	db := database.New(raw, key, zerolog.Nop())
	i.must(db.Upgrade(ctx))
	partner, err := newPartner(db, i.cfg.Public.URL, nil)
	i.must(err)
	i.partner = partner.Handler()
	wantOK(t, i.examine(), "database.open", "database.schema", "database.write", "secret.key", "keys.signing", "public.keys", "users.waiting", "users.lapsing")

	var name string
	i.must(raw.QueryRow(ctx, "SELECT current_database()").Scan(&name))
	_, err = raw.Exec(ctx, "ALTER DATABASE "+name+" SET default_transaction_read_only = on")
	i.must(err)
	if write := of(t, i.examine(), "database.write"); write.Status != doctor.Fault || !strings.Contains(write.Text, "read-only") {
		t.Errorf("a database that is read-only: %+v", write)
	}

	_, err = raw.Exec(ctx, "CREATE DATABASE "+name+"_ascii TEMPLATE template0 ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C'")
	i.must(err)
	i.cfg.Database.URI = strings.Replace(uri, name, name+"_ascii", 1)
	if encoding := of(t, i.examine(), "database.encoding"); encoding.Status != doctor.Fault || !strings.Contains(encoding.Text, "SQL_ASCII") {
		t.Errorf("a database without Unicode: %+v", encoding)
	}

	i.cfg.Database.URI = strings.Replace(uri, name, "no_such_database", 1)
	if open := of(t, i.examine(), "database.open"); open.Status != doctor.Fault || !strings.Contains(open.Text, "does not exist") || !strings.Contains(open.Remedy, "createdb") {
		t.Errorf("a database that is not there: %+v", open)
	}
}

// TestPostgreSQLThatRefusesItsRole: for the password, for too many connections, and for the tables of somebody else.
func TestPostgreSQLThatRefusesItsRole(t *testing.T) {
	uri := pgtest.URI(t)
	if uri == "" {
		cannotRun("there is no PostgreSQL")
		return
	}
	ctx := context.Background()
	i := install(t)
	key, err := database.LoadSecretKey(ctx, i.raw, database.SecretKeySource{File: i.cfg.SecretKeyFile})
	i.must(err)
	raw, err := database.Open(ctx, "postgres", uri, zerolog.Nop())
	i.must(err)
	defer raw.Close()
	i.must(database.New(raw, key, zerolog.Nop()).Upgrade(ctx))
	run := func(statement string) {
		t.Helper()
		_, err := raw.Exec(ctx, statement)
		i.must(err)
	}
	var rules string
	i.must(raw.QueryRow(ctx, "SHOW hba_file").Scan(&rules))
	others, err := os.ReadFile(rules)
	i.must(err)
	i.must(os.WriteFile(rules, append([]byte("local all guarded scram-sha-256\n"), others...), 0o600))
	run("SELECT pg_reload_conf()")
	run("CREATE ROLE guarded LOGIN CONNECTION LIMIT 0 PASSWORD 'right'")

	as := func(password string) []doctor.Finding {
		parsed, err := url.Parse(uri)
		i.must(err)
		parsed.User = url.UserPassword("guarded", password)
		i.cfg.Database = config.Database{Type: config.Postgres, URI: parsed.String()}
		return i.examine()
	}
	want := func(findings []doctor.Finding, check, text, remedy string) {
		t.Helper()
		found := of(t, findings, check)
		if found.Status != doctor.Fault || !strings.Contains(found.Text, text) || !strings.Contains(found.Remedy, remedy) {
			t.Errorf("%+v", found)
		}
		if strings.Contains(found.Text+found.Remedy, "right") || strings.Contains(found.Text, "hidden") {
			t.Errorf("the password is in %+v", found)
		}
	}
	want(as("hidden"), "database.open", "password authentication failed", "Correct user and password")
	want(as("right"), "database.open", "too many connections", "limit of the role")
	run("ALTER ROLE guarded CONNECTION LIMIT 16")
	want(as("right"), "database.schema", "belong to the role postern, and database.uri names guarded", "OWNER TO guarded")
	run("ALTER TABLE postern_version OWNER TO guarded")
	want(as("right"), "database.schema", "permission denied", "OWNER TO")
	rows, err := raw.Query(ctx, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
	tables, err := dbutil.ConvertRowFn[string](dbutil.ScanSingleColumn[string]).NewRowIter(rows, err).AsList()
	i.must(err)
	for _, table := range tables {
		run("ALTER TABLE " + table + " OWNER TO guarded")
	}
	wantOK(t, as("right"), "database.open", "database.schema", "database.write", "secret.key", "users.waiting", "users.lapsing")
}
