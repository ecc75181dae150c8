// Package database keeps Postern's own state: enlistments with their keys, Signal sessions, prekeys, the outbox and the
// inbox of every account, the partner server's signing keys and a few values of the bridge. It runs on SQLite and
// PostgreSQL, in the same database as bridgev2's tables, under table names that start with "postern_".
//
// Every secret and every plain text is sealed with a key derived from a secret key that is not in the database; see
// [SecretKey] and [Sealer]. JIDs, Matrix IDs, phone numbers, message ids and times are in the clear, as they are in
// bridgev2's tables.
//
//	raw, err := database.Open(ctx, "sqlite", "postern.db", log)
//	key, err := database.LoadSecretKey(ctx, raw, database.SecretKeySource{File: "secret.key", Create: true})
//	db := database.New(raw, key, log)
//	err = db.Upgrade(ctx)
//	enlistments, err := db.Enlistments().List(ctx)
//	store := db.AccountStore(enlistments[0].Account) // an interop.Store
//
// All types are safe for concurrent use. No goroutine of this package outlives a call.
package database
