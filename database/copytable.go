package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lib/pq"
	"go.mau.fi/util/dbutil"
)

var (
	errNoTransaction = errors.New("not in a transaction")
	errCountsDiffer  = errors.New("the numbers of rows differ")
	errWrongType     = errors.New("a value is not of the column's type")
)

// copyTable copies the rows of one table and returns how many there are. A table that has rows already, which versions have, must have
// the same: the schema is then of the same version. ctx carries the transaction of to.
func copyTable(ctx context.Context, from, to *dbutil.Database, table string) (int64, error) {
	columns, types, err := sameColumns(ctx, from, to, table)
	if err != nil {
		return 0, err
	}
	if slices.Contains([]string{"version", versionTable, sqlVersionState, sqlVersionCrypto}, table) {
		return 1, sameVersion(ctx, from, to, table)
	}
	txn, ok := to.Execable(ctx).(*dbutil.LoggingTxn)
	if !ok {
		return 0, errNoTransaction
	}
	quoted := make([]string, len(columns))
	for i, column := range columns {
		quoted[i] = pq.QuoteIdentifier(column) // SQLite's are the same
	}
	name := pq.QuoteIdentifier(table)
	where := ""
	if table == "postern_kv" {
		where = " WHERE name <> '" + movedName + "'" // of an earlier try
	}
	rows, err := from.Query(ctx, "SELECT "+strings.Join(quoted, ", ")+" FROM "+name+where)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	insert, err := txn.UnderlyingTx.PrepareContext(ctx, "COPY "+name+" ("+strings.Join(quoted, ", ")+") FROM STDIN")
	if err != nil {
		return 0, err
	}
	defer insert.Close()
	copied, err := copyRows(ctx, rows, insert, columns, types)
	if err != nil {
		return 0, err
	}
	if err = insert.Close(); err != nil {
		return 0, err
	}
	var arrived int64
	if err = to.QueryRow(ctx, "SELECT count(*) FROM "+name).Scan(&arrived); err != nil {
		return 0, err
	} else if arrived != copied {
		return 0, fmt.Errorf("%w: %d and %d", errCountsDiffer, copied, arrived)
	}
	return copied, nil
}

// Names of mautrix' tables of versions.
const (
	sqlVersionState  = "mx_version"
	sqlVersionCrypto = "crypto_version"
)

func copyRows(ctx context.Context, rows dbutil.Rows, insert *sql.Stmt, columns, types []string) (copied int64, err error) {
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	for rows.Next() {
		if err = rows.Scan(into...); err != nil {
			return 0, err
		}
		for i := range values {
			if values[i], err = convert(values[i], types[i]); err != nil {
				return 0, fmt.Errorf("row %d, column %s: %w", copied+1, columns[i], err)
			}
		}
		if _, err = insert.ExecContext(ctx, values...); err != nil {
			return 0, err
		}
		copied++
	}
	if err = rows.Err(); err != nil {
		return 0, err
	}
	_, err = insert.ExecContext(ctx) // sends what is left
	return copied, err
}

// sameColumns returns the columns of a table, which both sides must have, and their types in PostgreSQL.
func sameColumns(ctx context.Context, from, to *dbutil.Database, table string) (columns, types []string, err error) {
	there, err := texts(ctx, from, "SELECT name FROM pragma_table_info($1) ORDER BY name", table)
	if err != nil {
		return nil, nil, err
	}
	const ofTable = " FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1 ORDER BY column_name COLLATE \"C\""
	if columns, err = texts(ctx, to, "SELECT column_name"+ofTable, table); err != nil {
		return nil, nil, err
	}
	if types, err = texts(ctx, to, "SELECT data_type"+ofTable, table); err != nil {
		return nil, nil, err
	}
	if sorted := slices.Sorted(slices.Values(there)); !slices.Equal(sorted, slices.Sorted(slices.Values(columns))) {
		return nil, nil, fmt.Errorf("%w (columns differ: %s)", ErrOtherSchema, strings.Join(difference(there, columns), ", "))
	}
	return columns, types, nil
}

// sameVersion compares a table of versions, which the making of the tables has filled.
func sameVersion(ctx context.Context, from, to *dbutil.Database, table string) error {
	var there, here int
	query := "SELECT version FROM " + pq.QuoteIdentifier(table)
	if err := from.QueryRow(ctx, query).Scan(&there); err != nil {
		return err
	}
	if err := to.QueryRow(ctx, query).Scan(&here); err != nil {
		return err
	}
	if there != here {
		return fmt.Errorf("%w (%s is %d instead of %d)", ErrOtherSchema, table, there, here)
	}
	return nil
}

// convert makes of a value, as SQLite's driver returns it, what PostgreSQL's driver takes for a column of the type. SQLite has types of
// values and not of columns, so more may come than is written.
func convert(value any, dataType string) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch dataType {
	case "bytea":
		switch value := value.(type) {
		case []byte:
			return value, nil
		case string:
			return []byte(value), nil
		}
	case "boolean":
		switch value := value.(type) {
		case bool:
			return value, nil
		case int64:
			return value != 0, nil
		}
	case "bigint", "integer", "smallint":
		switch value := value.(type) {
		case int64:
			return value, nil
		case bool: // what the driver makes of a column that SQLite calls so
			if value {
				return int64(1), nil
			}
			return int64(0), nil
		}
	case "timestamp without time zone", "timestamp with time zone":
		if value, ok := value.(time.Time); ok {
			return value.UTC(), nil
		}
	default: // text, character, jsonb, USER-DEFINED
		var text string
		switch value := value.(type) {
		case string:
			text = value
		case []byte:
			text = string(value)
		case int64: // a number in a column without numbers
			text = fmt.Sprint(value)
		default:
			return nil, fmt.Errorf("%w: %T for %s", errWrongType, value, dataType)
		}
		if strings.ContainsRune(text, 0) {
			return nil, fmt.Errorf("%w: PostgreSQL stores no text with a zero byte", errWrongType)
		}
		return text, nil
	}
	return nil, fmt.Errorf("%w: %T for %s", errWrongType, value, dataType)
}
