package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/database"
)

// store is the database as far as it can be read.
type store struct {
	raw *dbutil.Database // nil: it cannot be opened, or there is none yet
	// ours is nil as long as the schema or the secret key do not fit.
	ours *database.Database
	mine bool // raw is to be closed
}

// openDatabase finds out whether the bridge could use the database.
func (e *examination) openDatabase(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	if e.store.raw = e.Database; e.store.raw == nil {
		if found := e.openRaw(ctx); e.store.raw == nil {
			return append(found, e.secretWithoutDatabase())
		}
	}
	findings := []Finding{fine("database.open", fmt.Sprintf("The %s database opens.", e.databaseName()))}
	if e.Config.Database.Type == config.Postgres {
		findings = append(findings, e.encodingFindings(ctx)...)
		if finding, foreign := e.foreignTables(ctx); foreign {
			return append(findings, finding) // nothing can be read
		}
	}
	key, found := e.secretKey(ctx)
	findings = append(findings, found...)
	if key.IsZero() {
		return findings
	}
	db := database.New(e.store.raw, key, zerolog.Nop())
	err := db.Check(ctx)
	if errors.Is(err, database.ErrWrongSecretKey) {
		return append(findings, fault("secret.key", "The secret key is not the one that the database was made with.",
			"Put the original key back, from your copy. If it is lost: move the database away, and users have to enlist again."))
	}
	if !errors.Is(err, database.ErrOtherSchema) && !errors.Is(err, database.ErrNewerSchema) && err == nil {
		findings = append(findings, e.secretIsRight())
	}
	findings = append(findings, schemaFinding(err))
	if err == nil {
		e.store.ours = db
		findings = append(findings, originFindings(ctx, db)...)
	}
	return findings
}

func (e *examination) closeDatabase() {
	if e.store.mine {
		_ = e.store.raw.Close() // only read from
	}
}

func (e *examination) databaseName() string {
	if e.Config.Database.Type == config.Postgres {
		return "PostgreSQL"
	}
	return "SQLite"
}

// openRaw opens the database that the config names, without making or changing it.
func (e *examination) openRaw(ctx context.Context) []Finding {
	uri := e.Config.Database.URI
	if e.Config.Database.Type == config.SQLite {
		if _, err := os.Stat(uri); errors.Is(err, fs.ErrNotExist) {
			return []Finding{note("database.open", "There is no database yet. The first start of the bridge makes it.", "")}
		}
		uri += "?mode=ro"
	}
	raw, err := database.Open(ctx, string(e.Config.Database.Type), uri, zerolog.Nop())
	if err != nil {
		return []Finding{fault("database.open", fmt.Sprintf("The %s database cannot be opened: %s.", e.databaseName(), databaseCause(err)), databaseRemedy(e.Config.Database.Type, err))}
	}
	e.store.raw, e.store.mine = raw, true
	return nil
}

// encodingFindings wants what both ends of a chat may write.
func (e *examination) encodingFindings(ctx context.Context) []Finding {
	var encoding string
	if err := e.store.raw.RawDB.QueryRowContext(ctx, "SHOW server_encoding").Scan(&encoding); err != nil || encoding == "UTF8" {
		return nil // what fails, fails in what follows
	}
	return []Finding{fault("database.encoding", "The PostgreSQL database is encoded as "+encoding+", and not every letter fits into that.",
		"Make a new one (createdb --encoding=UTF8 --template=template0), and move the data with pg_dump and pg_restore.")}
}

// foreignTables finds tables that belong to another role: without rights on them it looks as if there were none.
func (e *examination) foreignTables(ctx context.Context) (finding Finding, found bool) {
	var owner, role string
	err := e.store.raw.RawDB.QueryRowContext(ctx, "SELECT tableowner, current_user FROM pg_tables WHERE tablename = 'postern_version' AND "+
		"schemaname = ANY(current_schemas(false)) AND NOT pg_has_role(current_user, tableowner, 'USAGE') LIMIT 1").Scan(&owner, &role)
	if err != nil { // mostly sql.ErrNoRows; what fails, fails in what follows
		return Finding{}, false
	}
	return fault("database.schema", fmt.Sprintf("The tables belong to the role %s, and database.uri names %s, who may not use them.", owner, role),
		fmt.Sprintf("Write %s with its password into database.uri. Or give all tables away, as PostgreSQL's superuser: ALTER TABLE ... OWNER TO %s.", owner, role)), true
}

// schemaFinding says what the result of [database.Database.Check] means.
func schemaFinding(err error) Finding {
	switch {
	case err == nil:
		return fine("database.schema", "The database has the schema of this version.")
	case errors.Is(err, database.ErrNewerSchema):
		return fault("database.schema", "The database was written by a newer version of Postern, so this one does not start on it.",
			"Install the newer version again. A backup from before the update can be put back with `postern restore`.")
	case errors.Is(err, database.ErrOtherSchema):
		return note("database.schema", "The database is of an older version, or not in use yet. The next start of the bridge upgrades it.", "")
	default:
		return fault("database.schema", "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))
	}
}

// originFindings finds copies that the bridge refuses to start on.
func originFindings(ctx context.Context, db *database.Database) []Finding {
	const check = "database.origin"
	if moved, err := db.Moved(ctx); err != nil {
		return []Finding{fault(check, "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))}
	} else if moved {
		return []Finding{fault(check, "The database was moved to PostgreSQL by `postern db migrate`, so the bridge does not start on it.",
			"Write the address of the PostgreSQL database into database.uri, and postgres into database.type.")}
	}
	if made, err := db.CopyMade(ctx); err != nil {
		return []Finding{fault(check, "The database cannot be read: "+databaseCause(err)+".", readRemedy(err))}
	} else if !made.IsZero() {
		return []Finding{fault(check, "The database is a backup that was put in place as it is. Encryption keys would be used twice, so the bridge does not start on it.",
			"Stop the bridge and run `postern restore --in-place`.")}
	}
	return nil
}
