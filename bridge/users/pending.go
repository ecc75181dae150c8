package users

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"postern/bridge/records"
	"postern/database"
	"postern/portal"
)

// Pending is what is not erased yet of a user who leaves a gatekeeper.
type Pending struct {
	User       id.UserID
	Gatekeeper string // what users call it
	// Untold: the gatekeeper has not confirmed that it knows, and the keys stay until it has.
	Untold bool
	// Chats: not all chats are erased.
	Chats bool
	// Next is when it is tried next. It is zero or over if nothing was tried yet, while it is being tried, and of a bridge that does
	// not run.
	Next time.Time
}

// Sentence says what is left, to users and admins alike.
func (p *Pending) Sentence(now time.Time) string {
	left := fmt.Sprintf("%s has been left, and only the keys are not erased.", p.Gatekeeper)
	switch {
	case p.Untold && p.Chats:
		left = fmt.Sprintf("%s has not confirmed the deletion yet, so the keys stay here until then, and not all chats are erased.", p.Gatekeeper)
	case p.Untold:
		left = fmt.Sprintf("%s has not confirmed the deletion yet, so the keys stay here until then. The chats are erased.", p.Gatekeeper)
	case p.Chats:
		left = fmt.Sprintf("%s has been left, but not all chats are erased.", p.Gatekeeper)
	}
	if !p.Next.After(now) {
		return left + " It is being tried now, or as soon as the bridge runs."
	}
	return left + " It is tried again at " + p.Next.UTC().Format("15:04 UTC on 2 January 2006.")
}

// nextTry is the name of the value that says when it is tried next to let a user leave, in Unix seconds. Nothing reads it but
// what tells people.
func nextTry(account database.AccountID) string { return fmt.Sprintf("erase.next.%d", account) }

// NoteNextTry stores when it is tried next.
func NoteNextTry(ctx context.Context, kv *database.KV, account database.AccountID, at time.Time) error {
	return kv.Set(ctx, nextTry(account), strconv.AppendInt(nil, at.Unix(), 10))
}

// ForgetNextTry erases that.
func ForgetNextTry(ctx context.Context, kv *database.KV, account database.AccountID) error {
	return kv.Delete(ctx, nextTry(account))
}

// Pending returns what is not erased yet of a user, or of all for "".
func (d *Data) Pending(ctx context.Context, user id.UserID, configured func(gatekeeper string) bool) ([]Pending, error) {
	enlistments, err := d.Database.Enlistments().Leaving(ctx)
	if err != nil {
		return nil, err
	}
	var all []Pending
	for _, enlistment := range enlistments {
		if user != "" && enlistment.UserID != user.String() {
			continue
		}
		one := Pending{
			User: id.UserID(enlistment.UserID), Gatekeeper: d.Name(enlistment.Gatekeeper),
			Untold: !enlistment.Told && configured(enlistment.Gatekeeper), // others cannot be told
		}
		logins, err := LoginsAt(ctx, d.Records, one.User, enlistment.Gatekeeper)
		if err != nil {
			return nil, err
		}
		one.Chats = len(logins) > 0 // a login goes after its chats
		next, err := d.Database.KV().Get(ctx, nextTry(enlistment.Account))
		if err != nil {
			return nil, err
		}
		if seconds, err := strconv.ParseInt(string(next), 10, 64); err == nil {
			one.Next = time.Unix(seconds, 0)
		}
		all = append(all, one)
	}
	return all, nil
}

// LoginsAt returns the logins that bridgev2 has of a user at a gatekeeper.
func LoginsAt(ctx context.Context, tables records.Records, user id.UserID, gatekeeper string) ([]networkid.UserLoginID, error) {
	all, err := tables.Logins(ctx, user)
	if err != nil {
		return nil, err
	}
	var logins []networkid.UserLoginID
	for _, login := range all {
		if at, _, err := portal.ParseLoginID(login.ID); err == nil && at == gatekeeper {
			logins = append(logins, login.ID)
		}
	}
	return logins, nil
}
