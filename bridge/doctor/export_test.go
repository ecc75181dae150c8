package doctor

import (
	"context"
	"io/fs"
	"net/http"
	"slices"
	"time"
)

// Machine is what a machine is like; what is left zero is as on the real one.
type Machine struct {
	Free      uint64
	FreeFiles uint64
	Network   bool
	Write     time.Duration
	OpenFiles uint64
	// Owners gives files by their names to others.
	Owners map[string]int
}

// On makes options look at another machine.
func (m Machine) On(options Options) Options {
	changed := machine
	changed.disk = func(folder string) (disk, error) {
		found, err := machine.disk(folder)
		found.network = m.Network
		if m.Free > 0 {
			found.free = m.Free
		}
		if m.FreeFiles > 0 {
			found.limitsFiles, found.freeFiles = true, m.FreeFiles
		}
		return found, err
	}
	if m.Write > 0 {
		changed.write = func(context.Context, string) (time.Duration, error) { return m.Write, nil }
	}
	if m.OpenFiles > 0 {
		changed.files = func() (uint64, bool) { return m.OpenFiles, true }
	}
	changed.owner = func(info fs.FileInfo) (int, bool) {
		if uid, ok := m.Owners[info.Name()]; ok {
			return uid, true
		}
		return machine.owner(info)
	}
	options.look = &changed
	return options
}

// Hear examines what servers answer, when all of them answer the same.
func Hear(ctx context.Context, options Options, answers http.RoundTripper) []Finding {
	e := &examination{Options: options, client: &http.Client{Transport: answers}, bridge: bridgeUp}
	e.readMetrics(ctx)
	findings := []Finding{e.findBridge(ctx)}
	e.bridge = bridgeUp
	findings = slices.Concat(findings, e.homeserver(ctx), e.publicAddress(ctx), e.gatekeepers(ctx), e.undecryptableFindings())
	for i := range findings {
		findings[i].Text = printable(findings[i].Text)
	}
	return findings
}
