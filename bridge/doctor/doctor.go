// Package doctor looks at an installation as an experienced admin would, and says what is wrong and how to mend it.
//
//	findings := doctor.Examine(ctx, doctor.Options{Config: cfg, ConfigFile: path})
//	if doctor.Worst(findings) == doctor.Fault { ... }
//
// It works beside a running bridge, inside of it, and where none runs. It changes nothing: what it has to try out, such as the speed of
// writing, it tries out on something of its own. Findings hold no secrets, no users and no content, so that they can be shown to others.
package doctor

import (
	"cmp"
	"context"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.mau.fi/util/dbutil"

	"postern/bridge/config"
	"postern/bridge/metrics"
	"postern/provider"
)

// Status is how bad a finding is.
type Status string

const (
	// OK: all is well.
	OK Status = "ok"
	// Note: nothing is wrong, but the admin may want to know, or something could not be looked at now.
	Note Status = "note"
	// Warning: it works, and will not for ever, or not for everybody.
	Warning Status = "warning"
	// Fault: something does not work.
	Fault Status = "fault"
)

// statuses are all of them, the best first.
var statuses = []Status{OK, Note, Warning, Fault}

// Finding is what one look showed. A check has one finding, or one for each thing that it looked at.
type Finding struct {
	// Check names the check, as subject.what, such as homeserver.token. Names are stable, so that programs can rely on them.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Text says what was found, in sentences.
	Text string `json:"text"`
	// Remedy says what to do, "" if there is nothing to do.
	Remedy string `json:"remedy,omitempty"`
}

// subjects are all of them, in the order in which they are shown: what others depend on comes first.
var subjects = []string{
	"config", "files", "disk", "secret", "database", "bridge", "registration", "homeserver", "keys", "public", "media", "gatekeeper", "users", "programs",
}

// Subject is the first part of the check's name. Findings come ordered by subject.
func (f Finding) Subject() string {
	subject, _, _ := strings.Cut(f.Check, ".")
	return subject
}

// Worst is the worst status of all findings, [OK] if there is none.
func Worst(findings []Finding) Status {
	worst := OK
	for _, finding := range findings {
		if slices.Index(statuses, finding.Status) > slices.Index(statuses, worst) {
			worst = finding.Status
		}
	}
	return worst
}

// Options say what to examine.
type Options struct {
	// Config must have been validated.
	Config *config.Config
	// ConfigFile is the file that Config was read from. The registrations are looked for beside it. "" leaves out what is about these.
	ConfigFile string
	// Database is for who has it open already, such as the bridge itself: Examine reads from it and leaves it open. If it is nil, the
	// database of the config is opened and closed.
	Database *dbutil.Database
	// Now is the clock, time.Now if it is nil. Roots are the authorities that certificates are checked with, the system's if it is nil.
	Now   func() time.Time
	Roots *x509.CertPool

	look *look // the machine if it is nil
}

const (
	// examineTimeout bounds all together.
	examineTimeout = 50 * time.Second
	// askTimeout bounds the wait for one answer: of a server, the database, or a disk.
	askTimeout = 10 * time.Second
)

// examination is one call of Examine. Its parts run side by side and only read it.
type examination struct {
	Options
	client *http.Client
	store  store
	bridge bridgeState
	keys   []provider.StoredKey
	// reading is what the running bridge counted, nil if it could not be asked.
	reading *metrics.Reading
}

// Examine looks at everything and returns what it found, in a fixed order. It takes as long as the slowest server that it asks, and
// less than a minute. Many may run at the same time.
func Examine(ctx context.Context, options Options) []Finding {
	ctx, cancel := context.WithTimeout(ctx, examineTimeout)
	defer cancel()
	e := &examination{Options: options}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.look == nil {
		e.look = &machine
	}
	e.client = e.newClient()
	// What is in the database and whether the bridge runs decide how the rest is looked at.
	findings := append([]Finding{fine(checkConfig, "The config is valid.")}, e.openDatabase(ctx)...)
	defer e.closeDatabase()
	findings = append(findings, e.signingKeys(ctx)...)
	findings = append(findings, e.findBridge(ctx))
	e.readMetrics(ctx)
	parts := []func(context.Context) []Finding{
		e.files, e.disks, e.registration, e.homeserver, e.publicAddress, e.gatekeepers, e.users, e.programs,
	}
	results := make([][]Finding, len(parts))
	var running sync.WaitGroup
	for i, part := range parts {
		running.Go(func() { results[i] = part(ctx) })
	}
	running.Wait()
	findings = append(findings, slices.Concat(results...)...)
	for i := range findings {
		findings[i].Text = printable(findings[i].Text)
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Compare(slices.Index(subjects, a.Subject()), slices.Index(subjects, b.Subject()))
	})
	return findings
}

func fine(check, text string) Finding { return Finding{Check: check, Status: OK, Text: text} }

func note(check, text, remedy string) Finding {
	return Finding{Check: check, Status: Note, Text: text, Remedy: remedy}
}

func warning(check, text, remedy string) Finding {
	return Finding{Check: check, Status: Warning, Text: text, Remedy: remedy}
}

func fault(check, text, remedy string) Finding {
	return Finding{Check: check, Status: Fault, Text: text, Remedy: remedy}
}
