// Package upgrades holds the numbered steps of our schema.
//
// Files are named NN-what.sql and start with a header that dbutil reads, such as "-- v2 (compatible with v1+): Add x".
// A new step comes with a changed 00-latest.sql, which takes an empty database to the newest version at once. All steps
// of one start run in one transaction, so a step must not ask for "transaction: off" or "sqlite-fkey-off".
package upgrades

import (
	"embed"

	"go.mau.fi/util/dbutil"
)

//go:embed *.sql
var files embed.FS

// Table is given to dbutil. Its length is the newest version that this program knows.
var Table = dbutil.BuildUpgradeTable().WithFS(files).Finish()
