package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// statements are what the writer runs for every message, prepared once on a connection of its own: parsing them anew
// takes as long as running them. One transaction at a time; not safe for concurrent use.
type statements struct {
	conn                               *sql.Conn
	begin, commit, rollback            *sql.Stmt
	accept, contact, mail, remove, saw *sql.Stmt
}

func prepare(ctx context.Context, db *sql.DB) (*statements, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("failed to open the writer's connection: %w", err)
	}
	t := &statements{conn: conn}
	for _, statement := range []struct {
		into  **sql.Stmt
		query string
	}{
		{&t.begin, `BEGIN IMMEDIATE`},
		{&t.commit, `COMMIT`},
		{&t.rollback, `ROLLBACK`},
		{&t.accept, `INSERT INTO accepted (sender, id, account, device, stored) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`},
		{&t.contact, `INSERT INTO contact (account, contact) VALUES ($1, $2) ON CONFLICT DO NOTHING`},
		{&t.mail, `INSERT INTO mailbox (account, device, class, id, sender, stanza, stored) VALUES ($1, $2, $3, $4, $5, $6, $7)`},
		{&t.remove, `DELETE FROM mailbox WHERE seq=$1`},
		{&t.saw, `INSERT INTO saw (time, record) VALUES ($1, $2)`},
	} {
		if *statement.into, err = conn.PrepareContext(ctx, statement.query); err != nil {
			return nil, errors.Join(fmt.Errorf("failed to prepare %q: %w", statement.query, err), t.close())
		}
	}
	return t, nil
}

// transaction runs fn and commits if it succeeds. It has a context without an end: what was taken from the queue is
// written even while the gatekeeper stops.
func (t *statements) transaction(fn func(ctx context.Context) error) error {
	ctx := context.Background()
	if _, err := t.begin.ExecContext(ctx); err != nil {
		return fmt.Errorf("failed to begin: %w", err)
	}
	err := fn(ctx)
	if err == nil {
		if _, err = t.commit.ExecContext(ctx); err == nil {
			return nil
		}
		err = fmt.Errorf("failed to commit: %w", err)
	}
	if _, rollbackErr := t.rollback.ExecContext(ctx); rollbackErr != nil {
		err = errors.Join(err, fmt.Errorf("failed to roll back: %w", rollbackErr))
	}
	return err
}

// close may be called on statements of which only some were prepared.
func (t *statements) close() error {
	var problems []error
	for _, statement := range []*sql.Stmt{t.begin, t.commit, t.rollback, t.accept, t.contact, t.mail, t.remove, t.saw} {
		if statement != nil {
			problems = append(problems, statement.Close())
		}
	}
	return errors.Join(append(problems, t.conn.Close())...)
}
