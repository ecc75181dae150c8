package bridge

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"sync"
	"time"

	"maunium.net/go/mautrix/id"

	"postern/bridge/adminpage"
	"postern/bridge/audit"
	"postern/bridge/connector"
	"postern/bridge/metrics"
	"postern/bridge/troubles"
	"postern/bridge/users"
	"postern/database"
	"postern/docs"
)

// pageData is what the admin page shows and does.
type pageData struct {
	*Daemon
	remedies *troubles.Remedies
	examiner examiner
	audit    *audit.Log
	links    sync.Mutex // held while a link of the command line is redeemed
}

var _ adminpage.Bridge = (*pageData)(nil)

// newAdminPage returns nil if the config turns it off.
func (d *Daemon) newAdminPage() *adminpage.Page {
	url := d.cfg.Admin.PageURL()
	if url == "" {
		return nil
	}
	return adminpage.New(adminpage.Options{
		URL: url, Log: d.log, Now: d.clock.Now,
		Bridge: &pageData{Daemon: d, remedies: troubles.ReadRemedies(docs.Troubleshooting), audit: audit.New(d.network.Database, d.clock.Now)},
	})
}

// RedeemLink implements adminpage.Bridge.
func (p *pageData) RedeemLink(ctx context.Context, hash []byte) (string, error) {
	if ok, err := p.redeemPageLink(ctx, hash); !ok {
		return "", err
	}
	return audit.CommandLine, nil
}

// LoggedIn implements adminpage.Bridge.
func (p *pageData) LoggedIn(ctx context.Context, actor string) {
	p.audit.Note(p.log.WithContext(ctx), audit.PageLogin, id.UserID(actor), audit.About{})
}

// Overview implements adminpage.Bridge.
func (p *pageData) Overview(ctx context.Context) adminpage.Overview {
	var overview adminpage.Overview
	for _, problem := range p.ready.check(ctx) {
		overview.Problems = append(overview.Problems, adminpage.Fact{Name: problem.Part, Value: problem.Problem})
	}
	overview.Facts = p.facts()
	state := p.metrics.State()
	if state == nil {
		return overview
	}
	overview.Known = true
	for _, entry := range p.network.Gatekeepers {
		for _, connection := range connector.ConnectionStates {
			if users := state.Connections[metrics.Pair{Gatekeeper: entry.ID, State: connection}]; users > 0 || connection == metrics.StateConnected {
				overview.States = append(overview.States, adminpage.State{Gatekeeper: entry.Name, State: connection, Users: users})
			}
		}
		for _, enlistment := range []database.EnlistmentState{database.Enlisting, database.Leaving, database.Lapsed} {
			if users := state.Enlistments[metrics.Pair{Gatekeeper: entry.ID, State: string(enlistment)}]; users > 0 {
				overview.States = append(overview.States, adminpage.State{Gatekeeper: entry.Name, State: string(enlistment), Users: users})
			}
		}
		queue := state.Outbox[entry.ID]
		overview.Queues = append(overview.Queues, adminpage.Queue{
			Gatekeeper: entry.Name, Outbox: queue.Messages, Oldest: queue.Oldest, Inbox: state.Inbox[entry.ID],
		})
	}
	return overview
}

// facts are what an admin is asked for first when something is wrong.
func (p *pageData) facts() []adminpage.Fact {
	facts := []adminpage.Fact{
		{Name: "Postern", Value: p.version},
		{Name: "Runs since", Value: p.started.UTC().Format("2006-01-02 15:04 UTC")},
		{Name: "Homeserver", Value: p.cfg.Homeserver.Domain + p.homeserverSoftware()},
		{Name: "Database", Value: map[string]string{"sqlite": "SQLite", "postgres": "PostgreSQL"}[string(p.cfg.Database.Type)]},
		{Name: "ffmpeg", Value: "not there"},
		{Name: "Go", Value: runtime.Version()},
	}
	if p.network.Transcode != nil {
		facts[4].Value = p.network.Transcode.Version()
	}
	return facts
}

// homeserverSoftware is not known before the bridge has asked.
func (p *pageData) homeserverSoftware() string {
	if phase(p.ready.phase.Load()) == starting {
		return ""
	}
	name, version := p.matrix.Software()
	if name == "" {
		return ""
	}
	return ", " + name + " " + version
}

// Users implements adminpage.Bridge.
func (p *pageData) Users(ctx context.Context, actor, search string, offset, limit int) ([]adminpage.Enlistment, error) {
	found, err := users.List(ctx, p.network.Database, search, offset, limit)
	if err != nil {
		return nil, err
	}
	p.audit.Note(p.log.WithContext(ctx), audit.Listing, id.UserID(actor), audit.About{Subject: search})
	return asEnlistments(found), nil
}

// ExportUsers implements adminpage.Bridge.
func (p *pageData) ExportUsers(ctx context.Context, actor, search string) ([]byte, error) {
	found, err := users.List(ctx, p.network.Database, search, 0, users.MaxListed)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if err = users.WriteCSV(&file, found); err != nil {
		return nil, err
	}
	p.audit.Note(p.log.WithContext(ctx), audit.Listing, id.UserID(actor), audit.About{Subject: search})
	return file.Bytes(), nil
}

// User implements adminpage.Bridge.
func (p *pageData) User(ctx context.Context, _, name string) (*adminpage.User, error) {
	user, err := p.localUser(name)
	if err != nil {
		return nil, err
	}
	listed, err := users.List(ctx, p.network.Database, name, 0, users.MaxListed)
	if err != nil {
		return nil, err
	}
	shown := &adminpage.User{ID: name}
	if shown.Reason, shown.Suspended, err = p.network.Database.Suspensions().Reason(ctx, name); err != nil {
		return nil, err
	}
	connections := p.network.ConnectionsOf(user)
	for _, one := range listed { // a search may find more
		if one.User == name {
			enlistment := asEnlistments([]users.Listed{one})[0]
			enlistment.Connection = connections[one.Gatekeeper]
			shown.Enlistments = append(shown.Enlistments, enlistment)
		}
	}
	return shown, nil
}

func asEnlistments(listed []users.Listed) []adminpage.Enlistment {
	enlistments := make([]adminpage.Enlistment, 0, len(listed))
	for _, user := range listed {
		enlistments = append(enlistments, adminpage.Enlistment{
			User: user.User, Gatekeeper: user.Gatekeeper, State: string(user.State), Since: user.Since,
			Connected: timeOrZero(user.Connected), Suspended: timeOrZero(user.Suspended), Blocked: user.Blocked,
		})
	}
	return enlistments
}

func timeOrZero(at *time.Time) time.Time {
	if at == nil {
		return time.Time{}
	}
	return *at
}

func (p *pageData) localUser(name string) (id.UserID, error) {
	user, err := users.ParseLocal(name, p.cfg.Homeserver.Domain)
	if err != nil {
		return "", adminpage.Refusal(connector.AsSentence(err))
	}
	return user, nil
}

// Suspend implements adminpage.Bridge.
func (p *pageData) Suspend(ctx context.Context, actor, name, reason string) error {
	user, reason, err := users.ParseSuspension(name, reason, p.cfg.Homeserver.Domain)
	if err != nil {
		return adminpage.Refusal(connector.AsSentence(err))
	}
	return p.follow(users.Suspend(ctx, p.network.Database, user, reason, actor))
}

// Unsuspend implements adminpage.Bridge.
func (p *pageData) Unsuspend(ctx context.Context, actor, name string) error {
	user, err := p.localUser(name)
	if err != nil {
		return err
	}
	return p.follow(users.Unsuspend(ctx, p.network.Database, user, actor))
}

// follow lets a change of suspensions take effect. The page does not wait for it, as it takes the homeserver and the gatekeepers.
func (p *pageData) follow(err error) error {
	switch {
	case errors.Is(err, users.ErrSuspendedAlready), errors.Is(err, users.ErrNotSuspended):
		return adminpage.Refusal(connector.AsSentence(err))
	case err == nil && phase(p.ready.phase.Load()) == running: // before, it is looked for when the bridge has started
		p.network.FollowSuspensionsSoon()
	}
	return err
}

// Erase implements adminpage.Bridge.
func (p *pageData) Erase(ctx context.Context, actor, name string) error {
	user, err := p.localUser(name)
	if err != nil {
		return err
	}
	if _, err = users.MarkErased(ctx, p.network.Database, user, actor); errors.Is(err, users.ErrNotEnlisted) {
		return adminpage.Refusal(connector.AsSentence(err))
	}
	return err
}

// Troubles implements adminpage.Bridge.
func (p *pageData) Troubles() []adminpage.Trouble {
	if p.Recent == nil {
		return nil
	}
	var all []adminpage.Trouble
	for _, trouble := range p.Recent.All() {
		shown := adminpage.Trouble{
			Level: "error", Message: trouble.Message, Cause: trouble.Error, Count: trouble.Count, First: trouble.First, Last: trouble.Last,
			Remedy: p.remedies.For(trouble.Message, trouble.Error),
		}
		if trouble.Level.String() == "warn" {
			shown.Level = "warning"
		}
		for _, detail := range trouble.Details {
			shown.Details = append(shown.Details, adminpage.Fact{Name: detail.Name, Value: detail.Value})
		}
		all = append(all, shown)
	}
	return all
}

// Audit implements adminpage.Bridge.
func (p *pageData) Audit(ctx context.Context, limit int) ([]adminpage.AuditEntry, error) {
	newest, err := p.network.Database.Audit().Newest(ctx, limit)
	if err != nil {
		return nil, err
	}
	entries := make([]adminpage.AuditEntry, 0, len(newest))
	for _, entry := range newest {
		entries = append(entries, adminpage.AuditEntry{
			At: entry.At, Kind: entry.Kind, Actor: entry.Actor, User: entry.UserID, Gatekeeper: entry.Gatekeeper, Subject: entry.Subject,
		})
	}
	return entries, nil
}
