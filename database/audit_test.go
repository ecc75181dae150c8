package database_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.mau.fi/util/dbutil"

	"postern/database"
)

// audited is a log with entries at the hours 1, 2 and so on.
func audited(t *testing.T, raw *dbutil.Database, entries int) database.Audit {
	t.Helper()
	audit := upgraded(t, raw).Audit()
	for i := range entries {
		check(t, audit.Append(context.Background(), database.AuditEntry{
			At: auditTime(i + 1), Kind: "enlist", Actor: "@alice:example.org", UserID: "@alice:example.org", Gatekeeper: "whatsapp",
		}))
	}
	return audit
}

func auditTime(hour int) time.Time {
	return time.Unix(1_700_000_000, 0).Add(time.Duration(hour) * time.Hour)
}

func TestTheAuditLogIsReadInOrder(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		audit := audited(t, raw, 3)
		check(t, audit.Append(ctx, database.AuditEntry{Kind: "block", Actor: "@bob:example.org", UserID: "@bob:example.org", Subject: strings.Repeat("x", 300)}))
		page := must(audit.Page(ctx, 1, auditTime(3), 10))
		if len(page) != 2 || page[0].Seq != 3 || !page[0].At.Equal(auditTime(3)) || page[1].Seq != 4 || len(page[1].Subject) != 255 || page[1].At.IsZero() {
			t.Errorf("got %+v", page)
		}
		if page = must(audit.Page(ctx, 0, time.Time{}, 2)); len(page) != 2 || page[1].Seq != 2 {
			t.Errorf("the first two are %+v", page)
		}
		if newest := must(audit.Newest(ctx, 2)); len(newest) != 2 || newest[0].Seq != 4 || newest[1].Seq != 3 {
			t.Errorf("the newest two are %+v", newest)
		}
		if of := must(audit.OfUser(ctx, "@bob:example.org")); len(of) != 1 || of[0].Kind != "block" {
			t.Errorf("of bob: %+v", of)
		}
	})
}

func TestAChangedAuditLogIsSeen(t *testing.T) {
	for name, change := range map[string]string{
		"an entry changed":       "UPDATE postern_audit SET actor = '@mallory:example.org' WHERE seq = 2",
		"a text moved":           "UPDATE postern_audit SET actor = '', user_id = actor || user_id WHERE seq = 2",
		"an entry removed":       "DELETE FROM postern_audit WHERE seq = 2",
		"the first removed":      "DELETE FROM postern_audit WHERE seq = 1",
		"the last removed":       "DELETE FROM postern_audit WHERE seq = 4",
		"all removed":            "DELETE FROM postern_audit",
		"the beginning moved":    "UPDATE postern_audit_ends SET first_seq = 2",
		"the end lost":           "DELETE FROM postern_audit_ends",
		"an entry put in a hole": "UPDATE postern_audit SET seq = 5 WHERE seq = 4",
	} {
		t.Run(name, func(t *testing.T) {
			onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
				ctx := context.Background()
				audit := audited(t, raw, 4)
				count, head, err := audit.Verify(ctx)
				if count != 4 || len(head) != 32 || err != nil {
					t.Fatalf("before the change: %d entries, %x, %v", count, head, err)
				}
				_, err = raw.Exec(ctx, change)
				check(t, err)
				if _, _, err = audit.Verify(ctx); !errors.Is(err, database.ErrAuditBroken) {
					t.Errorf("got %v", err)
				}
			})
		})
	}
}

func TestAnAuditLogOfAnotherKeyIsNotBelieved(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		audited(t, raw, 2)
		other := database.New(raw, database.NewSecretKey(), zerolog.Nop()).Audit()
		if _, _, err := other.Verify(context.Background()); !errors.Is(err, database.ErrAuditBroken) {
			t.Errorf("got %v", err)
		}
	})
}

func TestOldAuditEntriesGoAndTheRestStaysProvable(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		audit := audited(t, raw, 5)
		_, head, err := audit.Verify(ctx)
		check(t, err)
		for _, step := range []struct{ hour, left int }{{1, 5}, {3, 3}, {3, 3}, {6, 0}} {
			check(t, audit.Prune(ctx, auditTime(step.hour)))
			count, now, err := audit.Verify(ctx)
			check(t, err)
			if count != int64(step.left) || !bytes.Equal(now, head) {
				t.Errorf("before hour %d: %d entries left, head %x", step.hour, count, now)
			}
		}
		check(t, audit.Append(ctx, database.AuditEntry{Kind: "erase"}))
		if page := must(audit.Page(ctx, 0, time.Time{}, 10)); len(page) != 1 || page[0].Seq != 6 {
			t.Errorf("after all were pruned: %+v", page)
		}
		if count, _, err := audit.Verify(ctx); count != 1 || err != nil {
			t.Errorf("%d entries, %v", count, err)
		}
	})
}

func TestPseudonymsTellOnlyThatItIsTheSame(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		audit, other := upgraded(t, raw).Audit(), database.New(raw, database.NewSecretKey(), zerolog.Nop()).Audit()
		bob := audit.Pseudonym("wa-4915112345678")
		if strings.Contains(bob, "4915112345678") || bob != audit.Pseudonym("wa-4915112345678") || bob == audit.Pseudonym("wa-4915112345679") ||
			bob == other.Pseudonym("wa-4915112345678") {
			t.Errorf("bob is %s", bob)
		}
	})
}

func TestManyWriteTheAuditLogAtOnce(t *testing.T) {
	onEachDialect(t, func(t *testing.T, raw *dbutil.Database) {
		ctx := context.Background()
		db := upgraded(t, raw)
		audit := db.Audit()
		if count, _, err := audit.Verify(ctx); count != 0 || err != nil {
			t.Errorf("an empty log has %d entries, %v", count, err)
		}
		var writers sync.WaitGroup
		for range 8 {
			writers.Go(func() {
				for range 5 {
					if err := audit.Append(ctx, database.AuditEntry{Kind: "block"}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writers.Wait()
		if count, _, err := audit.Verify(ctx); count != 40 || err != nil {
			t.Errorf("%d entries, %v", count, err)
		}
	})
}
