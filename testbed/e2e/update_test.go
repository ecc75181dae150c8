package e2e_test

import (
	"path/filepath"
	"strings"
	"testing"

	"postern/database"
	"postern/testbed/postgres"
	"postern/testbed/stack"
)

// TestAnUpdateUpgradesTheDatabaseAndKeepsACopy: the bridge starts on the database of the version before. The chat goes on, and beside
// the database is a copy of it as it was, which is not started by mistake.
func TestAnUpdateUpgradesTheDatabaseAndKeepsACopy(t *testing.T) {
	ctx, s := own(t, stack.Options{})
	c := newConversation(t, ctx, s)
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	raw := openDatabase(t, ctx, s)
	// The tables of a schema that the version before did not have: those of which the homeserver can tell everything again.
	parts := []string{"TABLE mx_registrations", "TABLE mx_user_profile", "TABLE mx_room_state", "TABLE mx_version"}
	if postgres.Chosen() {
		parts = append(parts, "TYPE membership")
	}
	for _, part := range parts {
		if _, err := raw.Exec(ctx, "DROP "+part); err != nil {
			t.Fatal(err)
		}
	}
	if err := raw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.Start(ctx); err != nil {
		t.Fatal(err)
	}
	if err := c.bothWrite(ctx, 0, 5); err != nil {
		t.Fatal(err)
	}
	c.check(t, ctx, 5)
	var version int
	if err := openDatabase(t, ctx, s).QueryRow(ctx, "SELECT version FROM mx_version").Scan(&version); err != nil || version == 0 {
		t.Errorf("the version is %d, %v", version, err)
	}
	if postgres.Chosen() {
		return // which makes its copies itself
	}
	copies := must(database.CopiesBefore(filepath.Join(s.Dir("bridge"), databaseFile)))(t)
	if len(copies) != 1 {
		t.Fatalf("copies are %q", copies)
	}
	if err := s.Bridge.Stop(ctx); err != nil {
		t.Fatal(err)
	}
	if err := s.Bridge.EditConfig(func(config map[string]any) {
		config["database"].(map[string]any)["uri"] = copies[0]
	}); err != nil {
		t.Fatal(err)
	}
	if said, err := s.Bridge.Run(ctx, "run"); err == nil || !strings.Contains(said, "`postern restore`") {
		t.Errorf("starts a copy: %q, %v", said, err)
	}
}
